"""How far lines keep the rules of regulated verse: counts, so that many poems can be added up."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tangsweep.prosody.form import Form
from tangsweep.prosody.pattern import EITHER, FREE, Pattern, regulated
from tangsweep.prosody.prosody import Prosody


class Kept(NamedTuple):
    """So many of so many."""

    kept: int
    of: int

    @property
    def share(self) -> float | None:
        return self.kept / self.of if self.of else None


def total(counts: Iterable[Kept]) -> Kept:
    """The counts of many poems added up."""
    found = list(counts)
    return Kept(sum(count.kept for count in found), sum(count.of for count in found))


def shares(poems: Iterable[Sequence[str]], prosody: Prosody) -> dict[str, float | None]:
    """`rhyme` and `tones`, as below, of many poems together."""
    found = list(poems)
    return {
        "rhyme": total(rhymes(lines, prosody) for lines in found).share,
        "tones": total(tones(lines, prosody) for lines in found).share,
    }


def rhymes(lines: Sequence[str], prosody: Prosody) -> Kept:
    """Of neighbouring even lines those that rhyme: two characters of one group, not the same one twice.

    `lines` have no punctuation.
    """
    ends = [line[-1] for line in lines[1::2]]
    pairs = list(itertools.pairwise(ends))
    return Kept(sum(_rhyme(one, other, prosody) for one, other in pairs), len(pairs))


def tones(lines: Sequence[str], prosody: Prosody) -> Kept:
    """Of the positions that are not free those with the tone of the pattern, the one that fits best.

    Characters that are read with either tone fit; those of unknown tone do not. `lines` are of 5 or 7
    characters, all alike and even in number, without punctuation. Raises UserError for others.
    """
    form = Form(len(lines[0]), len(lines))
    found = [prosody.tone(character) for character in "".join(lines)]
    return max((_kept(pattern, found) for pattern in regulated(form)), key=lambda kept: kept.kept / kept.of)


def _rhyme(one: str, other: str, prosody: Prosody) -> bool:
    group = prosody.rhyme(one)
    return one != other and group is not None and group == prosody.rhyme(other)


def _kept(pattern: Pattern, found: Sequence[str | None]) -> Kept:
    bound = [(need, tone) for need, tone in zip(pattern.tones, found, strict=True) if need != FREE]
    return Kept(sum(tone in (need, EITHER) for need, tone in bound), len(bound))
