"""Confidence intervals, paired tests and power-law fits for a few seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
RELATIVE_TOLERANCE = 1e-9  # paired differences that vary by less than this share of the scores are constant


class Interval(NamedTuple):
    """The mean of `n` values with the half-width of its confidence interval, None for a single value."""

    mean: float
    half: float | None
    n: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


def confidence_interval(values: Sequence[float]) -> Interval | None:
    """Return Student's t-interval of the mean, ignoring NaN; None without values.

    The mean is infinite, without an interval, where a value is.
    """
    numbers = np.asarray([value for value in values if not math.isnan(value)], dtype=float)
    if not len(numbers):
        return None
    mean = float(numbers.mean())
    if len(numbers) < 2 or not math.isfinite(mean):
        return Interval(mean, None, len(numbers))
    standard_error = float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(numbers) - 1))
    return Interval(mean, quantile * standard_error, len(numbers))


def is_finite(values: pd.Series) -> pd.Series:
    """Return where a column holds a finite number."""
    return pd.to_numeric(values, errors="coerce").map(np.isfinite, na_action="ignore").eq(True)


def interval_half_widths(deviations: pd.Series, n: pd.Series) -> pd.Series:
    """Return half-widths of t-intervals from standard deviations of `n` values each; NaN for n = 1."""
    quantiles: np.ndarray = stats.t.ppf((1 + CONFIDENCE) / 2, (n - 1).clip(lower=1))
    half_widths: pd.Series = deviations.where(n > 1) / np.sqrt(n) * quantiles
    return half_widths


class PairedDifference(NamedTuple):
    """A group's scores less the best group's, over the seeds that both have."""

    interval: Interval
    p: float | None  # of a paired t-test, uncorrected; None where there is no test


def paired_difference(scores: Mapping[int, float], best: Mapping[int, float]) -> PairedDifference | None:
    """Return the mean paired difference of scores by seed with its t-interval and t-test.

    None where no seed is shared or a difference is not finite. There is no test for one pair, nor where all
    differences are equal up to rounding.
    """
    shared = sorted(set(scores) & set(best))
    differences = [scores[seed] - best[seed] for seed in shared]
    interval = confidence_interval([d for d in differences if math.isfinite(d)])
    if interval is None or interval.n < len(differences):
        return None
    if interval.n < 2:
        return PairedDifference(interval, None)
    largest = max(abs(score) for side in (scores, best) for score in side.values())
    if np.ptp(differences) <= RELATIVE_TOLERANCE * largest:
        return PairedDifference(interval, None)
    return PairedDifference(interval, float(stats.ttest_1samp(differences, 0.0).pvalue))


def holm_correction(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for multiple comparisons after Holm (1979); None stays None, uncounted."""
    ordered = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(ordered):
        largest = max(largest, min(1.0, p * (len(ordered) - rank)))
        corrected[place] = largest
    return corrected


class PowerLaw(NamedTuple):
    """score = factor · size^exponent."""

    factor: float
    exponent: Interval


def fit_power_law(sizes: Sequence[float], scores: Sequence[float]) -> PowerLaw | None:
    """Fit a power law to logarithms by least squares; the exponent's interval is that of the slope.

    None for fewer than three different sizes.
    """
    if len(set(sizes)) < 3:
        return None
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(scores, dtype=float))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 2) * fit.stderr)
    return PowerLaw(float(np.exp(fit.intercept)), Interval(float(fit.slope), half, len(x)))
