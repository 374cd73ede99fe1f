"""Why nothing can keep what was asked of a poem: where it breaks, and what to do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tangsweep.prosody.form import described
from tangsweep.prosody.pattern import EITHER, FREE, LEVEL, OBLIQUE, Pattern

if TYPE_CHECKING:
    from tangsweep.generation.constraints import Constraints

WORDS = {LEVEL: "level (平)", OBLIQUE: "oblique (仄)", EITHER: "of either tone", None: "of unknown tone"}


class Break(NamedTuple):
    """The first position at which a pattern cannot be kept."""

    position: int
    why: str


def reason(constraints: "Constraints", forced: Mapping[int, int]) -> str:
    """One line for a request that no pattern and group can keep: of all patterns the one kept longest."""
    found = [_broken(constraints, pattern, forced) for pattern in constraints.patterns]
    nearest = max(found, key=lambda broken: broken.position)
    line, column = constraints.form.place(nearest.position)
    others = "; no tone pattern gets further" if len(found) > 1 else ""
    asked = [name for name in ("tones", "rhyme") if getattr(constraints.wish, name) is not None]
    remedy = f"choose other characters, or ask for no {' or '.join(asked)}" if asked else "train on more text"
    return (
        f"{described(constraints.form)}, line {line + 1}, character {column + 1}: "
        f"{nearest.why}{others}: {remedy}"
    )


def _broken(constraints: "Constraints", pattern: Pattern, forced: Mapping[int, int]) -> Break:
    breaks = [_untuned(constraints, pattern, forced)]
    if constraints.rhymed(pattern):
        breaks.append(_unrhymed(constraints, pattern, forced))
    return min((found for found in breaks if found), key=lambda broken: broken.position)


def _untuned(constraints: "Constraints", pattern: Pattern, forced: Mapping[int, int]) -> Break | None:
    """The first position whose tone cannot be kept, or that nothing can fill."""
    for position, need in enumerate(pattern.tones):
        fitting = constraints.fits[need]
        if position in forced and not fitting[forced[position]]:
            return Break(position, _wrong_tone(constraints, pattern, need, forced[position]))
        if position not in forced and not fitting.any():
            wanted = "character that can stand in a line" if need == FREE else f"{WORDS[need]} character"
            return Break(position, f"the vocabulary has no {wanted}")
    return None


def _wrong_tone(constraints: "Constraints", pattern: Pattern, need: str, id: int) -> str:
    character = constraints.vocabulary.tokens[id]
    tone = constraints.prosody.tone(character) if constraints.prosody else None
    return f"{character} is {WORDS[tone]}, but {pattern.name} wants one that is {WORDS[need]} there"


def _unrhymed(constraints: "Constraints", pattern: Pattern, forced: Mapping[int, int]) -> Break | None:
    """The rhymes that break: given ones among themselves, or too few characters for the rest."""
    ends = constraints.rhymed(pattern)
    given = [position for position in ends if position in forced]
    asked = constraints.wish.rhyme
    for place, position in enumerate(given):
        own, before = forced[position], [forced[p] for p in given[:place]]
        character = constraints.vocabulary.tokens[own]
        if own in before:
            return Break(position, f"{character} closes a rhymed line already")
        if constraints.prosody and constraints.prosody.rhyme(character) is None:
            return Break(position, f"no rhyme is known for {character}")
        if constraints.group_of[own] < 0:
            return Break(position, f"{character} does not rhyme with {asked}")
        if before and constraints.group_of[own] != constraints.group_of[before[0]]:
            return Break(
                position, f"{character} does not rhyme with {constraints.vocabulary.tokens[before[0]]}"
            )
    return _too_few(constraints, pattern, forced, ends, given)


def _too_few(
    constraints: "Constraints", pattern: Pattern, forced: Mapping[int, int], ends: list[int], given: list[int]
) -> Break | None:
    left = constraints.left(pattern, [forced[position] for position in given])
    rest = [position for position in ends if position not in forced]
    if given:
        left = left[constraints.group_of[forced[given[0]]]][None]
    most = int(left.max()) if len(left) else 0
    if most >= len(rest):
        return None
    among = " that rhyme with each other"
    if given or constraints.wish.rhyme:
        among = (
            f" that rhyme with {constraints.wish.rhyme or constraints.vocabulary.tokens[forced[given[0]]]}"
        )
    level = " level" if pattern.tones[ends[0]] == LEVEL else ""
    return Break(
        rest[most],
        f"{len(rest)} different{level} characters{among} are wanted, and the vocabulary has {most}",
    )
