"""Explains why no poem can satisfy its constraints: at which position it fails, and what to change."""

from collections.abc import Mapping
from typing import NamedTuple

from tangsweep.generation.constraints import NO_GROUP, Constraints
from tangsweep.prosody.form import describe_form
from tangsweep.prosody.pattern import EITHER, FREE, LEVEL, OBLIQUE, TonePattern

TONE_WORDS = {LEVEL: "level (平)", OBLIQUE: "oblique (仄)", EITHER: "of either tone", None: "of unknown tone"}


class Violation(NamedTuple):
    """The first position at which a poem cannot follow a pattern."""

    position: int
    reason: str


def explain_infeasible(constraints: Constraints, forced: Mapping[int, int]) -> str:
    """Return one line that says why no poem with the ids `forced`, by position, satisfies `constraints`.

    Of all patterns it describes the one that can be followed furthest.
    """
    violations = [_first_violation(constraints, pattern, forced) for pattern in constraints.patterns]
    furthest = max(violations, key=lambda violation: violation.position)
    line, column = constraints.form.line_and_column(furthest.position)
    others = "; no tone pattern gets further" if len(violations) > 1 else ""
    options = [name for name in ("tones", "rhyme") if getattr(constraints.spec, name) is not None]
    remedy = (
        f"choose other characters, or ask for no {' or '.join(options)}" if options else "train on more text"
    )
    return (
        f"{describe_form(constraints.form)}, line {line + 1}, character {column + 1}: "
        f"{furthest.reason}{others}: {remedy}"
    )


def _first_violation(constraints: Constraints, pattern: TonePattern, forced: Mapping[int, int]) -> Violation:
    violations = [_tone_violation(constraints, pattern, forced)]
    if constraints.rhymed_positions(pattern):
        violations.append(_rhyme_violation(constraints, pattern, forced))
    return min((violation for violation in violations if violation), key=lambda violation: violation.position)


def _tone_violation(
    constraints: Constraints, pattern: TonePattern, forced: Mapping[int, int]
) -> Violation | None:
    """Return the first position whose forced character has the wrong tone, or that no character can fill."""
    for position, tone in enumerate(pattern.tones):
        mask = constraints.masks[tone]
        if position in forced and not mask[forced[position]]:
            character = constraints.vocabulary.tokens[forced[position]]
            own_tone = constraints.prosody.tone(character) if constraints.prosody else None
            return Violation(
                position,
                f"{character} is {TONE_WORDS[own_tone]}, but {pattern.name} wants one that is "
                f"{TONE_WORDS[tone]} there",
            )
        if position not in forced and not mask.any():
            kind = "character that can stand in a line" if tone == FREE else f"{TONE_WORDS[tone]} character"
            return Violation(position, f"the vocabulary has no {kind}")
    return None


def _rhyme_violation(
    constraints: Constraints, pattern: TonePattern, forced: Mapping[int, int]
) -> Violation | None:
    """Return the first forced rhyme that conflicts with an earlier one, or the first without characters."""
    rhymed = constraints.rhymed_positions(pattern)
    earlier: list[int] = []
    for position in rhymed:
        if position not in forced:
            continue
        conflict = _rhyme_conflict(constraints, forced[position], earlier)
        if conflict:
            return Violation(position, conflict)
        earlier.append(forced[position])
    return _rhyme_shortage(constraints, pattern, forced, rhymed)


def _rhyme_conflict(constraints: Constraints, id: int, earlier: list[int]) -> str | None:
    """Return why `id` cannot rhyme with the ids of earlier rhymed positions; None if it can."""
    tokens, group_of = constraints.vocabulary.tokens, constraints.group_of
    character = tokens[id]
    if id in earlier:
        return f"{character} closes a rhymed line already"
    if constraints.prosody and constraints.prosody.rhyme(character) is None:
        return f"no rhyme is known for {character}"
    if group_of[id] == NO_GROUP:
        return f"{character} does not rhyme with {constraints.spec.rhyme}"
    if earlier and group_of[id] != group_of[earlier[0]]:
        return f"{character} does not rhyme with {tokens[earlier[0]]}"
    return None


def _rhyme_shortage(
    constraints: Constraints, pattern: TonePattern, forced: Mapping[int, int], rhymed: list[int]
) -> Violation | None:
    """Return the first rhymed position for which the vocabulary has no character left."""
    forced_rhymes = [forced[position] for position in rhymed if position in forced]
    unfilled = [position for position in rhymed if position not in forced]
    left = constraints.count_rhymes_left(pattern, forced_rhymes)
    if forced_rhymes:
        left = left[constraints.group_of[forced_rhymes[0]]][None]
    most = int(left.max()) if len(left) else 0
    if most >= len(unfilled):
        return None
    partner = constraints.spec.rhyme
    if forced_rhymes and not partner:
        partner = constraints.vocabulary.tokens[forced_rhymes[0]]
    rhyme_words = f"that rhyme with {partner or 'each other'}"
    level = " level" if pattern.tones[rhymed[0]] == LEVEL else ""
    return Violation(
        unfilled[most],
        f"{len(unfilled)} different{level} characters {rhyme_words} are wanted, and the vocabulary "
        f"has {most}",
    )
