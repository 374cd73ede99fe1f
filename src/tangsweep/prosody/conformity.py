"""Count how far lines follow the rules of regulated verse; counts of many poems can be added up."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tangsweep.prosody.form import Form
from tangsweep.prosody.pattern import EITHER, FREE, TonePattern, regulated_patterns
from tangsweep.prosody.protocol import Prosody


class RuleCount(NamedTuple):
    """How many of the cases to which a rule applies keep it."""

    kept: int
    of: int

    @property
    def share(self) -> float | None:
        return self.kept / self.of if self.of else None


def conformity_shares(poems: Iterable[Sequence[str]], prosody: Prosody) -> dict[str, float | None]:
    """Return the shares `rhyme` and `tones` of `count_rhymes` and `count_tones`, of all poems together."""
    poem_lines = list(poems)
    return {
        "rhyme": add_counts(count_rhymes(lines, prosody) for lines in poem_lines).share,
        "tones": add_counts(count_tones(lines, prosody) for lines in poem_lines).share,
    }


def add_counts(counts: Iterable[RuleCount]) -> RuleCount:
    """Return the sum of the counts."""
    pairs = list(counts)
    return RuleCount(sum(count.kept for count in pairs), sum(count.of for count in pairs))


def count_rhymes(lines: Sequence[str], prosody: Prosody) -> RuleCount:
    """Count, among pairs of neighbouring even lines (2 and 4, 4 and 6), those whose last characters rhyme.

    A character does not rhyme with itself. `lines` have no punctuation.
    """
    pairs = list(itertools.pairwise(line[-1] for line in lines[1::2]))
    return RuleCount(sum(_do_rhyme(one, other, prosody) for one, other in pairs), len(pairs))


def _do_rhyme(one: str, other: str, prosody: Prosody) -> bool:
    rhyme = prosody.rhyme(one)
    return one != other and rhyme is not None and rhyme == prosody.rhyme(other)


def count_tones(lines: Sequence[str], prosody: Prosody) -> RuleCount:
    """Count, among the positions that are not free, those with the tone of the best-fitting pattern.

    Characters that are read with either tone fit; those of unknown tone do not. `lines` have no punctuation,
    5 or 7 characters each, all of them the same number, and are even in number. Raises UserError for others.
    """
    form = Form(len(lines[0]), len(lines))
    tones = [prosody.tone(character) for character in "".join(lines)]
    counts = (_count_fitting(pattern, tones) for pattern in regulated_patterns(form))
    return max(counts, key=lambda count: count.kept / count.of)


def _count_fitting(pattern: TonePattern, tones: Sequence[str | None]) -> RuleCount:
    bound = [(need, tone) for need, tone in zip(pattern.tones, tones, strict=True) if need != FREE]
    return RuleCount(sum(tone in (need, EITHER) for need, tone in bound), len(bound))
