"""How sure a loss is as a statement about other seeds and other texts.

The loss of a group is a ratio: nats over characters, of all documents that its runs were scored on. Seeds are
one source of chance and documents are another. Documents of an author are more alike than others, so they
count as one unit where there are at least twenty authors.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tangsweep.reporting.analysis.statistics import CONFIDENCE, Interval, satterthwaite

Floats = NDArray[np.float64]
MIN_AUTHORS = 20  # from so many authors on, they are the units
MOST_SEEDS = 10_000  # no advice asks for more
FEW_DOCUMENTS = 200  # below so many, intervals over documents are too narrow where documents are skewed


class Units(NamedTuple):
    """The D documents that runs were scored on, and the U units that they are drawn in."""

    characters: Floats  # (D,)
    number: NDArray[np.int64]  # (D,) the unit of each document, from 0
    units: int  # U
    kind: str  # poets, documents

    @classmethod
    def of_documents(cls, characters: NDArray[np.integer], authors: NDArray[np.str_]) -> "Units":
        """Return units from the characters and the author (empty: unknown) of each document."""
        names, number = np.unique(authors, return_inverse=True)
        if len(names) >= MIN_AUTHORS and (names != "").all():
            return cls(characters.astype(float), number, len(names), "poets")
        return cls(characters.astype(float), np.arange(len(characters)), len(characters), "documents")


class LossSample(NamedTuple):
    """A mean loss in nats per character, or a difference of losses, with its variance by source."""

    mean: float
    seed_variance: float  # of the mean over n seeds; 0 for one seed
    seeds: int
    text_variance: float  # of the mean over U units of text
    units: int

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval over other seeds and other texts; with one seed, over other texts alone.

        Student's quantile, with Satterthwaite's degrees of freedom. It is at least as wide as the interval
        over seeds, since another source of chance makes nothing surer. None where there is nothing to measure
        a variance with.
        """
        if self.units < 2:
            return None
        variance = self.seed_variance + self.text_variance
        if not variance:
            return Interval(self.mean, 0.0, self.seeds)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.degrees_of_freedom)) * math.sqrt(variance)
        if self.seeds > 1:
            quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, self.seeds - 1))
            half = max(half, quantile * math.sqrt(self.seed_variance))
        return Interval(self.mean, half, self.seeds)

    @property
    def degrees_of_freedom(self) -> float:
        """Satterthwaite's, of the sum of both variances."""
        return satterthwaite(
            (self.seed_variance, max(self.seeds - 1, 1)), (self.text_variance, self.units - 1)
        )


def sample_loss(nats: Floats, units: Units) -> LossSample:
    """Return the loss of `nats` (seeds, D), and its variances.

    With x(s, d) the nats of seed s on document d, C all characters and L = Σ x / (n C): the variance over
    seeds is that of the seeds' losses over n. That over text is U / (U − 1) · Σ_u e_u² / C², where e_u is
    the sum over a unit's documents of their mean nats over seeds minus L times their characters: the
    linearized variance of a ratio (Cochran 1977, chapter 6).
    """
    total = float(units.characters.sum())
    losses = nats.sum(axis=1) / total
    mean, seeds = float(losses.mean()), len(losses)
    seed_variance = float(losses.var(ddof=1)) / seeds if seeds > 1 else 0.0
    residuals = nats.mean(axis=0) - mean * units.characters
    by_unit = np.bincount(units.number, residuals, units.units)
    text_variance = math.inf
    if units.units > 1:
        text_variance = units.units / (units.units - 1) * float((by_unit**2).sum()) / total**2
    return LossSample(mean, seed_variance, seeds, text_variance, units.units)


class Advice(NamedTuple):
    """How much more would settle a difference that is as large as the one that was measured."""

    seeds: int | None  # in all; None: no number of seeds settles it on these documents
    documents_factor: float  # so many times as many documents are needed at least


def advise(difference: LossSample) -> Advice | None:
    """Return what would settle a difference between two groups of which neither is ahead.

    With δ the difference, S_s²/n and S_d²/m its variances over n seeds and m documents and t Student's
    quantile: the smallest n with n ≥ t² S_s² / (δ² − t² S_d²/m), t itself for n seeds. Where the divisor is
    not positive for any n, more documents are needed first. None where the difference is zero, or its
    variance over seeds cannot be measured.
    """
    if not difference.mean or difference.seeds < 2 or difference.units < 2:
        return None
    spread = difference.seed_variance * difference.seeds
    normal = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    if difference.mean**2 <= normal**2 * difference.text_variance:
        return Advice(None, normal**2 * difference.text_variance / difference.mean**2)
    seeds = 2
    while seeds < MOST_SEEDS:
        t = float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1))
        if t**2 * (spread / seeds + difference.text_variance) <= difference.mean**2:
            return Advice(seeds, 1.0)
        seeds = seeds + 1 if seeds < 50 else math.ceil(1.05 * seeds)
    return Advice(MOST_SEEDS, 1.0)
