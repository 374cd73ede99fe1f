"""Tone patterns of regulated verse: which positions are level (平), oblique (仄), or free (中).

The four kinds of line and their order (粘對) follow Wang Li, 詩詞格律. A line's first character is free,
except in 平平仄仄平: there, it would leave the only other level character alone (孤平). A line of seven is a
line of five after two more characters, the first of them free. Deviations that a later character makes good
(拗救) are not among the patterns.
"""

from typing import NamedTuple

from tangsweep.errors import UserError
from tangsweep.prosody.form import Form

LEVEL, OBLIQUE, EITHER = "平", "仄", "○"  # EITHER: a character that is read with both tones
FREE = "中"  # a position of a pattern that any tone fits

# Lines a and c close with an oblique tone and come first in a couplet; b and d rhyme.
LINE_PATTERNS = {
    5: {"a": "中仄平平仄", "b": "平平仄仄平", "c": "中平平仄仄", "d": "中仄仄平平"},
    7: {"a": "中平中仄平平仄", "b": "中仄平平仄仄平", "c": "中仄中平平仄仄", "d": "中平中仄仄平平"},
}
LINE_ORDER = "abcd"  # couplets ab and cd alternate
RHYMING_FIRST_LINE = {"a": "d", "c": "b"}  # the kind that replaces a first line that rhymes too
OPENINGS = {"any": (LEVEL, OBLIQUE), "pingqi": (LEVEL,), "zeqi": (OBLIQUE,)}


class TonePattern(NamedTuple):
    """The tones and rhymes of a whole poem."""

    name: str  # 平起 or 仄起 (the tone of the second character), and whether the first line rhymes
    tones: str  # 平, 仄 or 中 for each position
    rhymed: tuple[int, ...]  # the lines whose last characters rhyme with each other


def free_pattern(form: Form) -> TonePattern:
    """Return the pattern in which every tone is free and every second line rhymes."""
    return TonePattern("", FREE * form.positions, tuple(range(1, form.lines, 2)))


def regulated_patterns(form: Form, opening: str = "any") -> list[TonePattern]:
    """Return the patterns of a form; those whose first line does not rhyme come first.

    `opening` is pingqi (平起), zeqi (仄起) or any. Raises UserError if the form has no patterns.
    """
    if form.chars not in LINE_PATTERNS or form.lines % 2:
        raise UserError(
            "tone patterns are known for lines of 5 and 7 characters in couplets, not for "
            f"{form.lines} lines of {form.chars}: choose such a form, or request no tones"
        )
    patterns = [_pattern(form, start, rhyming) for rhyming in (False, True) for start in (0, 2)]
    return [pattern for pattern in patterns if pattern.tones[1] in OPENINGS[opening]]


def _pattern(form: Form, start: int, first_line_rhymes: bool) -> TonePattern:
    """Return the pattern that begins at `start` in LINE_ORDER: 0 (line a) or 2 (line c)."""
    kinds = [LINE_ORDER[(start + line) % 4] for line in range(form.lines)]
    if first_line_rhymes:
        kinds[0] = RHYMING_FIRST_LINE[kinds[0]]
    tones = "".join(LINE_PATTERNS[form.chars][kind] for kind in kinds)
    name = ("平起" if tones[1] == LEVEL else "仄起") + ("首句入韻" if first_line_rhymes else "首句不入韻")
    rhymed = ((0,) if first_line_rhymes else ()) + free_pattern(form).rhymed
    return TonePattern(name, tones, rhymed)
