"""Tone patterns of regulated verse: which positions are level (平), oblique (仄), or free (中).

The four kinds of line and how they follow each other (粘對) are those of Wang Li, 詩詞格律: a line's first
character is free except in 平平仄仄平, whose only other level character it would leave alone (孤平); lines
of seven put two characters before a line of five, the first of them free. Deviations that a later
character makes good (拗救) are not among the patterns.
"""

from typing import NamedTuple

from tangsweep.errors import UserError
from tangsweep.prosody.form import Form

LEVEL, OBLIQUE, EITHER = "平", "仄", "○"
FREE = "中"

# a and c close a couplet's first line, b and d rhyme.
KINDS = {
    5: {"a": "中仄平平仄", "b": "平平仄仄平", "c": "中平平仄仄", "d": "中仄仄平平"},
    7: {"a": "中平中仄平平仄", "b": "中仄平平仄仄平", "c": "中仄中平平仄仄", "d": "中平中仄仄平平"},
}
CYCLE = "abcd"  # couplets ab and cd take turns
RHYMED = {"a": "d", "c": "b"}  # what stands for a first line that rhymes too
OPENINGS = {"any": (LEVEL, OBLIQUE), "pingqi": (LEVEL,), "zeqi": (OBLIQUE,)}


class Pattern(NamedTuple):
    """What each character of a poem may be."""

    name: str  # 平起 or 仄起 (the tone of the second character), and whether the first line rhymes
    tones: str  # one of 平 仄 中 a position
    rhymed: tuple[int, ...]  # lines whose last characters rhyme with each other


def free(form: Form) -> Pattern:
    """No tones asked for; every second line rhymes."""
    return Pattern("", FREE * form.positions, tuple(range(1, form.lines, 2)))


def regulated(form: Form, opening: str = "any") -> list[Pattern]:
    """The patterns of a form, those whose first line does not rhyme first.

    `opening`: pingqi (平起), zeqi (仄起) or any. Raises UserError where the form has no patterns.
    """
    if form.chars not in KINDS or form.lines % 2:
        raise UserError(
            f"tone patterns are known for lines of 5 and 7 characters, two a couplet, not for {form.lines} "
            f"lines of {form.chars}: choose such a form, or ask for no tones"
        )
    found = [_pattern(form, first, rhymes) for rhymes in (False, True) for first in (0, 2)]
    return [pattern for pattern in found if pattern.tones[1] in OPENINGS[opening]]


def _pattern(form: Form, first: int, rhymes: bool) -> Pattern:
    """The first line of kind a (`first` 0) or c (2), or of the kind that rhymes in its place."""
    kinds = [CYCLE[(first + line) % 4] for line in range(form.lines)]
    if rhymes:
        kinds[0] = RHYMED[kinds[0]]
    tones = "".join(KINDS[form.chars][kind] for kind in kinds)
    name = ("平起" if tones[1] == LEVEL else "仄起") + ("首句入韻" if rhymes else "首句不入韻")
    lines = ((0,) if rhymes else ()) + free(form).rhymed
    return Pattern(name, tones, lines)
