"""How good the best of k trials is, and which group has the best, as functions of the tuning budget.

A trial is one draw of a random or quasi-random search, or one point of a grid. The B scores of a group are
losses: lower is better, and a trial that diverged or failed is infinite. No score is NaN.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tangsweep.randomness import derive_seed
from tangsweep.reporting.analysis.statistics import CONFIDENCE, FloatArray

IntArray = NDArray[np.int64]
RESAMPLES = 2_000
SECONDS_POINTS = 100
ROUNDING = 1e-12  # of products of up to a thousand ratios

# Scores (…, B) and K → the best of k for k = 1 … K, (…, K).
BudgetCurve = Callable[[FloatArray, int], FloatArray]


class BudgetBand(NamedTuple):
    """A pointwise 95 % band around the best of k for k = 1 … K."""

    low: FloatArray  # (K,)
    high: FloatArray


def expected_best(scores: FloatArray, k: int) -> float:
    """Return the expected minimum of k of the B scores (B,), drawn without replacement.

    E_k = Σⱼ C(B − j, k − 1) / C(B, k) · x₍ⱼ₎ with x ascending: unbiased for k fresh trials (Tang et al. 2020,
    "Showing Your Work Doesn't Always Work"). Infinite where k or more scores are. Raises ValueError unless
    1 ≤ k ≤ B.
    """
    return float(expected_best_curve(scores, k)[-1])


def expected_best_plugin(scores: FloatArray, k: int) -> float:
    """Return the expected minimum of k of the B scores (B,), drawn with replacement.

    Σⱼ [((B − j + 1) / B)ᵏ − ((B − j) / B)ᵏ] · x₍ⱼ₎ with x ascending (Dodge et al. 2019, "Show Your Work"). It
    is too high on average, because the best trial may be drawn twice. Infinite where a score is. Raises
    ValueError unless 1 ≤ k ≤ B.
    """
    _check_budget(scores, k)
    if np.isinf(scores).any():
        return float("inf")
    above = np.arange(len(scores), -1, -1) / len(scores)  # share of the scores after the j-th, j = 0 … B
    return float(-np.diff(above**k) @ np.sort(scores))


def median_best(scores: FloatArray, k: int) -> float:
    """Return the median minimum of k of the B scores (B,), drawn without replacement.

    It is the smallest t with P(best of k ≤ t) = 1 − C(m, k) / C(B, k) ≥ ½, where m scores are above t. It
    exists where trials diverged and the mean is infinite. Raises ValueError unless 1 ≤ k ≤ B.
    """
    return float(median_best_curve(scores, k)[-1])


def expected_best_curve(scores: FloatArray, max_budget: int) -> FloatArray:
    """Return `expected_best` of scores (…, B) for k = 1 … K, (…, K)."""
    _check_budget(scores, max_budget)
    ordered = np.sort(scores)
    count = ordered.shape[-1]
    means = np.where(np.isinf(ordered), 0.0, ordered) @ _mean_weights(count, max_budget)
    # The k-th largest score is the worst that a minimum of k can be.
    worst = ordered[..., count - np.arange(1, max_budget + 1)]
    return np.where(np.isinf(worst), np.inf, means)


def median_best_curve(scores: FloatArray, max_budget: int) -> FloatArray:
    """Return `median_best` of scores (…, B) for k = 1 … K, (…, K)."""
    _check_budget(scores, max_budget)
    medians: FloatArray = np.sort(scores)[..., _median_places(scores.shape[-1], max_budget)]
    return medians


def _check_budget(scores: FloatArray, k: int) -> None:
    count = scores.shape[-1]
    if not 1 <= k <= count:
        raise ValueError(f"the best of {k} of {count} trials: the budget is from 1 to {count}")


@lru_cache(maxsize=8)
def _survival(count: int, max_budget: int) -> FloatArray:
    """Return P(best of k > x₍ⱼ₎) = C(B − j, k) / C(B, k) for j = 0 … B and k = 1 … K, (B + 1, K).

    A running product of the ratios (B − j + 1 − k) / (B − j + 1), because the binomial coefficients of a
    thousand trials are no floats.
    """
    left = np.arange(count, 0, -1)[:, None]
    ratios = np.maximum(left - np.arange(1, max_budget + 1), 0) / left
    return np.vstack([np.ones(max_budget), np.cumprod(ratios, axis=0)])


@lru_cache(maxsize=8)
def _mean_weights(count: int, max_budget: int) -> FloatArray:
    """Return C(B − j, k − 1) / C(B, k), the chance that the j-th is the best of k, (B, K).

    It is P(best of k > x₍ⱼ₋₁₎) · k / (B − j + 1).
    """
    left = np.arange(count, 0, -1)[:, None]
    weights: FloatArray = _survival(count, max_budget)[:-1] * np.arange(1, max_budget + 1) / left
    return weights


@lru_cache(maxsize=8)
def _median_places(count: int, max_budget: int) -> IntArray:
    """Return the place, from 0, of the median best of k among ordered scores, (K,)."""
    places: IntArray = np.argmax(_survival(count, max_budget)[1:] <= 0.5 + ROUNDING, axis=0)
    return places


def bootstrap_band(settings: Sequence[FloatArray], curve: BudgetCurve, max_budget: int) -> BudgetBand:
    """Return the 95 % percentile bootstrap band of a curve over other draws of settings.

    `settings` holds, for each setting, the scores of its runs. Settings are resampled, and the runs of one
    stay together: they differ in their seed alone, so they are no independent draws of a search. A resample
    may have fewer runs than the budget; its curve then goes on at its last value.

    No resample is better than the best trial, so the band is too narrow where k is near B / 2: over
    log-normal scores it covers about three quarters there, and nine tenths where k is small.
    """
    generator = np.random.default_rng(derive_seed(0, "bootstrap over settings"))
    chosen = generator.integers(len(settings), size=(RESAMPLES, len(settings)))
    run_counts = np.array([len(scores) for scores in settings])[chosen].sum(axis=1)
    curves = np.empty((RESAMPLES, max_budget))
    for count in np.unique(run_counts):
        rows = np.flatnonzero(run_counts == count)
        scores = np.array([np.concatenate([settings[place] for place in chosen[row]]) for row in rows])
        reached = min(max_budget, int(count))
        curves[rows, :reached] = curve(scores, reached)
        curves[rows, reached:] = curves[rows, reached - 1 : reached]
    tail = (1 - CONFIDENCE) / 2
    # An order statistic, because there is nothing between a finite and an infinite value.
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return BudgetBand(low, high)


def probability_of_best(groups: Sequence[FloatArray], trials: IntArray) -> FloatArray:
    """Return how often each of G groups has the best trial, (G, N), for N budgets (Sivaprasad et al. 2020).

    `groups` holds the scores of each group, `trials` (G, N) how many trials it may make. In each resample a
    group draws so many of its scores without replacement, and the group with the lowest one is the best. Ties
    are shared. A group without a trial cannot be the best; where no group has one, all are 0. Raises
    ValueError where a group may make more trials than it has scores.
    """
    generator = np.random.default_rng(derive_seed(0, "probability of the best"))
    best_so_far = []
    for scores, counts in zip(groups, trials, strict=True):
        if counts.max(initial=0) > len(scores):
            raise ValueError(f"{counts.max()} trials of a group that has {len(scores)}")
        shuffled = generator.permuted(np.tile(scores, (RESAMPLES, 1)), axis=1)
        no_trial = np.full((RESAMPLES, 1), np.nan)
        best_so_far.append(np.hstack([no_trial, np.minimum.accumulate(shuffled, axis=1)]))
    probabilities = np.empty(trials.shape)
    for place, counts in enumerate(trials.T):
        best = np.array([table[:, count] for table, count in zip(best_so_far, counts, strict=True)])
        is_lowest = best == np.fmin.reduce(best, axis=0)
        shares = is_lowest / np.maximum(is_lowest.sum(axis=0), 1)
        probabilities[:, place] = shares.mean(axis=1)
    return probabilities


def affordable_trials(seconds_per_run: FloatArray, budgets: FloatArray) -> IntArray:
    """Return ⌊T / s⌋, the runs that each group's mean seconds (G,) allow within budgets T (N,), as (G, N)."""
    # T is often a multiple of s, of which rounding may take away a run.
    return np.floor(budgets / seconds_per_run[:, None] * (1 + ROUNDING)).astype(np.int64)


def probability_by_seconds(
    groups: Sequence[FloatArray], seconds_per_run: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return budgets in seconds, (N,), and how often each of G groups has the best trial within them, (G, N).

    A group makes as many whole runs as its mean seconds per run (G,) allow. Budgets reach from the cheapest
    run to the first that takes half of a group's trials.
    """
    half = np.array([len(scores) // 2 for scores in groups])
    budgets = np.linspace(seconds_per_run.min(), (half * seconds_per_run).min(), SECONDS_POINTS)
    return budgets, probability_of_best(groups, affordable_trials(seconds_per_run, budgets))
