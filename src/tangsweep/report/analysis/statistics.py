"""What a few seeds allow to say."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
EQUAL = 1e-9  # differences that differ by less, relative to the scores, are the same but for rounding


class Interval(NamedTuple):
    """A mean over seeds with its confidence interval; `half` is None where one seed allows none."""

    mean: float
    half: float | None
    n: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


def interval(values: Sequence[float]) -> Interval | None:
    """Student's t-interval of the mean; None without a value. An infinite value makes the mean infinite."""
    found = np.asarray([value for value in values if not math.isnan(value)], dtype=float)
    if not len(found):
        return None
    mean = float(found.mean())
    if len(found) < 2 or not math.isfinite(mean):
        return Interval(mean, None, len(found))
    error = float(found.std(ddof=1)) / math.sqrt(len(found))
    return Interval(mean, float(stats.t.ppf((1 + CONFIDENCE) / 2, len(found) - 1)) * error, len(found))


def finite(values: pd.Series) -> pd.Series:
    """Where a column holds a number that is neither NaN nor infinite."""
    return pd.to_numeric(values, errors="coerce").map(np.isfinite, na_action="ignore").eq(True)


def half_width(spread: pd.Series, n: pd.Series) -> pd.Series:
    """Half of `interval`'s width for many means at once: `spread` are standard deviations of `n` values.

    NaN where n is 1.
    """
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, (n - 1).clip(lower=1))
    return (spread.where(n > 1) / np.sqrt(n)) * quantile


class Difference(NamedTuple):
    """A group's scores less the best group's, over the seeds that both have."""

    interval: Interval
    p: float | None  # of a paired t-test, uncorrected; None below two pairs


def paired(ours: Mapping[int, float], best: Mapping[int, float]) -> Difference | None:
    """Scores by seed. None where the two share no seed; equal differences throughout allow no test."""
    shared = sorted(set(ours) & set(best))
    differences = [ours[seed] - best[seed] for seed in shared]
    found = interval([d for d in differences if math.isfinite(d)])
    if found is None or found.n < len(differences):
        return None
    if found.n < 2:
        return Difference(found, None)
    largest = max(abs(score) for scores in (ours, best) for score in scores.values())
    if np.ptp(differences) <= EQUAL * largest:
        return Difference(found, None)
    return Difference(found, float(stats.ttest_1samp(differences, 0.0).pvalue))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's correction for several comparisons (Holm 1979); None stays None and does not count."""
    given = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(given):
        largest = max(largest, min(1.0, p * (len(given) - rank)))
        corrected[place] = largest
    return corrected


class PowerLaw(NamedTuple):
    """score = factor · size^exponent, fitted to logarithms by least squares."""

    factor: float
    exponent: Interval


def power_law(sizes: Sequence[float], scores: Sequence[float]) -> PowerLaw | None:
    """None below three different sizes; the interval of the exponent is that of the regression's slope."""
    if len(set(sizes)) < 3:
        return None
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(scores, dtype=float))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 2) * fit.stderr)
    return PowerLaw(float(np.exp(fit.intercept)), Interval(float(fit.slope), half, len(x)))
