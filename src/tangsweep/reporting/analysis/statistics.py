"""Confidence intervals, comparisons of groups over the same seeds, and power-law fits."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95
SIGNIFICANCE_LEVEL = 0.05
# The choice between one variance and several is itself a test; simulations ask for this much in return.
PRELIMINARY_TEST_FACTOR = 1.1
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


def paired_difference(scores: Mapping[int, float], best: Mapping[int, float]) -> Interval | None:
    """Return the mean of the differences of scores by seed, with its t-interval.

    None where no seed is shared or a difference is not finite.
    """
    shared = sorted(set(scores) & set(best))
    differences = [scores[seed] - best[seed] for seed in shared]
    interval = confidence_interval([d for d in differences if math.isfinite(d)])
    return None if interval is None or interval.n < len(differences) else interval


class GroupTests(NamedTuple):
    """Tests of the first of k groups, which has the best mean, against each of the others."""

    p_values: list[float]  # of the k − 1 others; for all pairs of groups together
    p_best: float  # that the first is better than the runner-up, given that it was picked as the best
    pooled: bool  # whether the groups' spreads are alike enough for one variance


def satterthwaite(*parts: tuple[float, float]) -> float:
    """Return the degrees of freedom of a sum of variances, each given with its own (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    divisor = sum(variance**2 / df for variance, df in parts)
    return total**2 / divisor if divisor else max(df for _, df in parts)


class TextVariances(NamedTuple):
    """What other texts add to the variance of each difference from the first group."""

    values: FloatArray  # (k − 1,)
    degrees_of_freedom: int

    def added_to(self, variances: FloatArray, df: int) -> tuple[FloatArray, FloatArray]:
        """Return the sums of both variances, with Satterthwaite's degrees of freedom of each."""
        own_df = max(self.degrees_of_freedom, 1)
        pairs = zip(variances, self.values, strict=True)
        return variances + self.values, np.array([satterthwaite((a, df), (b, own_df)) for a, b in pairs])


def compare_groups(scores: FloatArray, text: TextVariances | None = None) -> GroupTests | None:
    """Compare k groups over the same n seeds; the first row of `scores` (k, n) has the best mean.

    Seeds are blocks: the variance is that of the residuals after the means of groups and seeds, pooled over
    groups with (k − 1)(n − 1) degrees of freedom; `text` adds the variance over texts. p-values are Tukey's,
    of the studentized range, so that picking the best first costs nothing. `p_best` is the two-sided t-test
    against the runner-up, whose level holds although the best was picked (Gutmann and Maymin 1987); it counts
    only where some pair differs. Where Bartlett's test says that spreads differ, each pair has its own
    variance, and Bonferroni's correction over all pairs. Returns None for fewer than two groups or seeds,
    and where differences do not vary.
    """
    k, n = scores.shape
    if k < 2 or n < 2 or not np.isfinite(scores).all():
        return None
    differences = scores[1:] - scores[0]
    if (np.ptp(differences, axis=1) <= RELATIVE_TOLERANCE * np.abs(scores).max()).any():
        return None
    means = differences.mean(axis=1)
    pooled = k > 2 and _are_spreads_alike(scores)
    if pooled:
        seed_df: int = (k - 1) * (n - 1)
        variance = np.full(k - 1, 2 * (_residuals(scores) ** 2).sum() / seed_df / n)
    else:
        seed_df, variance = n - 1, differences.var(axis=1, ddof=1) / n
    df: FloatArray | int = seed_df
    if text is not None:
        variance, df = text.added_to(variance, seed_df)
    t = np.abs(means) / np.sqrt(variance)
    p_pairs = 2 * stats.t.sf(t, df)
    if pooled:
        p_values = stats.studentized_range.sf(math.sqrt(2) * t, k, df)
        p_best = float(p_pairs.max())
    else:
        p_values = np.minimum(1.0, p_pairs * k * (k - 1) / 2)
        p_best = float(p_values.max())
    if k > 2:
        p_values, p_best = p_values * PRELIMINARY_TEST_FACTOR, p_best * PRELIMINARY_TEST_FACTOR
    corrected = [min(1.0, float(p)) for p in p_values]
    return GroupTests(corrected, min(1.0, max(p_best, min(corrected))), pooled)


def _residuals(scores: FloatArray) -> FloatArray:
    by_group, by_seed = scores.mean(axis=1, keepdims=True), scores.mean(axis=0, keepdims=True)
    residuals: FloatArray = scores - by_group - by_seed + scores.mean()
    return residuals


def _are_spreads_alike(scores: FloatArray) -> bool:
    """Return whether Bartlett's test finds no difference of spreads, at the 5 % level.

    It looks at the scores, whose spreads a common effect of the seeds would hide, and at the residuals,
    among which the widest group widens the others'; so each has half of the level.
    """
    p_values = [stats.bartlett(*values).pvalue for values in (scores, _residuals(scores))]
    return bool(min(p_values) > (1 - CONFIDENCE) / 2)


class PowerLaw(NamedTuple):
    """score = factor · size^exponent."""

    factor: float
    exponent: Interval  # over sizes: n is their number
    lack_of_fit: float | None  # p that the means lie on a line; None without repeated sizes


def fit_power_law(sizes: Sequence[float], scores: Sequence[float]) -> PowerLaw | None:
    """Fit a power law to the mean logarithm of each size, by least squares.

    The exponent's interval is that of the slope over the means: seeds of one size say how well the size is
    measured, and nothing of whether the law holds between sizes. That is asked by the F-test for lack of fit,
    of the means' distances from the line against the spread within sizes. None for fewer than three sizes.
    """
    logarithms = pd.Series(np.log(np.asarray(scores, dtype=float)))
    by_size = logarithms.groupby(np.asarray(sizes, dtype=float))
    means, counts = by_size.mean(), by_size.size()
    if len(means) < 3:
        return None
    x = np.log(means.index.to_numpy(dtype=float))
    fit = stats.linregress(x, means)
    df = len(means) - 2
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df) * fit.stderr)
    exponent = Interval(float(fit.slope), half, len(means))
    within_df = int(counts.sum()) - len(means)
    within = float(((logarithms - by_size.transform("mean")) ** 2).sum())
    lack_of_fit = None
    if within_df and within:
        weighted = np.polyfit(x, means, 1, w=np.sqrt(counts))
        distance = float((counts * (means - np.polyval(weighted, x)) ** 2).sum())
        lack_of_fit = float(stats.f.sf(distance / df / (within / within_df), df, within_df))
    return PowerLaw(float(np.exp(fit.intercept)), exponent, lack_of_fit)
