"""Against all subsets, published values, exact fractions of a thousand trials, and simulations."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.reporting.analysis.budgets import (
    affordable_trials,
    bootstrap_band,
    expected_best,
    expected_best_curve,
    expected_best_plugin,
    median_best,
    median_best_curve,
    probability_of_best,
)

PUBLISHED = np.array([376.8, 448.8, 452.8, 477.3, 516.1, 524.8])
LOSSES = st.lists(st.floats(0.1, 20, allow_subnormal=False), min_size=2, max_size=9)
WITH_INFINITIES = st.lists(st.sampled_from([1.0, 2.0, 2.5, 4.0, math.inf]), min_size=1, max_size=8)
Estimator = Callable[[np.ndarray, int], float]


def test_the_published_values() -> None:
    assert expected_best(PUBLISHED, 3) == pytest.approx(414.8, abs=0.05)
    assert expected_best_plugin(PUBLISHED, 3) == pytest.approx(424.2, abs=0.05)


@given(WITH_INFINITIES)
def test_the_mean_and_the_median_are_those_of_all_subsets(scores: list[float]) -> None:
    for k in range(1, len(scores) + 1):
        best = sorted(min(subset) for subset in combinations(scores, k))
        assert expected_best(np.array(scores), k) == pytest.approx(sum(best) / len(best))
        # The smallest t that at least half of the subsets' minima do not exceed.
        half = next(t for t in best if 2 * sum(b <= t for b in best) >= len(best))
        assert median_best(np.array(scores), k) == half


@given(st.lists(st.sampled_from([1.0, 2.0, 2.5, 4.0, math.inf]), min_size=1, max_size=5))
def test_the_plugin_is_the_mean_of_all_draws_with_replacement(scores: list[float]) -> None:
    for k in range(1, len(scores) + 1):
        draws = [min(draw) for draw in product(scores, repeat=k)]
        assert expected_best_plugin(np.array(scores), k) == pytest.approx(sum(draws) / len(draws))


@given(LOSSES)
def test_more_trials_are_never_worse(scores: list[float]) -> None:
    x = np.array(scores)
    means, medians = expected_best_curve(x, len(x)), median_best_curve(x, len(x))
    assert means[0] == pytest.approx(x.mean()) and means[-1] == pytest.approx(x.min())
    assert medians[-1] == x.min()
    assert (np.diff(means) <= 1e-12).all() and (np.diff(medians) <= 0).all()
    plugin = [expected_best_plugin(x, k) for k in range(1, len(x) + 1)]
    assert (np.array(plugin) >= means - 1e-9).all()


@given(LOSSES, st.floats(0.5, 4, allow_subnormal=False), st.floats(-5, 5, allow_subnormal=False))
def test_scale_and_shift(scores: list[float], scale: float, shift: float) -> None:
    x = np.array(scores)
    estimators: list[Estimator] = [expected_best, expected_best_plugin, median_best]
    for k, estimate in product((1, len(x) // 2 or 1, len(x)), estimators):
        assert estimate(scale * x + shift, k) == pytest.approx(scale * estimate(x, k) + shift, abs=1e-9)


@given(st.permutations([1.0, 3.0, 2.0, 7.0, 5.0]))
def test_the_order_of_the_trials_does_not_count(scores: list[float]) -> None:
    assert expected_best(np.array(scores), 2) == pytest.approx(expected_best(np.sort(scores), 2))


@pytest.mark.parametrize("k", [1, 2, 37, 500, 999, 1000])
def test_a_thousand_trials_in_exact_fractions(k: int) -> None:
    count = 1000
    scores = np.random.default_rng(0).permutation(np.linspace(3, 9, count))
    ordered = [Fraction(float(score)) for score in np.sort(scores)]
    every = math.comb(count, k)
    mean = sum(math.comb(count - j, k - 1) * x for j, x in enumerate(ordered, 1)) / every
    assert expected_best(scores, k) == pytest.approx(float(mean), rel=1e-12)
    place = next(j for j in range(1, count + 1) if 2 * (every - math.comb(count - j, k)) >= every)
    assert median_best(scores, k) == float(ordered[place - 1])


def test_a_median_with_diverged_trials_is_that_of_simulated_searches() -> None:
    scores = np.array([5.0, 5.2, 5.1, 4.8, 6.0, math.inf, math.inf, 5.6, math.inf, 4.9])
    generator = np.random.default_rng(1)
    for k in (2, 3, 4):  # of 1, the chance of the fifth score is ½, so simulations disagree
        draws = generator.permuted(np.tile(scores, (20_000, 1)), axis=1)[:, :k].min(axis=1)
        assert median_best(scores, k) == np.quantile(draws, 0.5, method="inverted_cdf")


def test_when_an_infinite_trial_makes_the_mean_infinite() -> None:
    scores = np.array([1.0, 2.0, 3.0, math.inf, math.inf])
    assert np.isinf(expected_best_curve(scores, 5)).tolist() == [True, True, False, False, False]
    assert expected_best_plugin(np.append(np.ones(999), math.inf), 500) == math.inf  # of a chance of 1e-1500
    assert median_best(np.array([1.0, math.inf, math.inf]), 1) == math.inf
    assert median_best(np.full(3, math.inf), 3) == math.inf


@pytest.mark.parametrize("estimate", [expected_best, expected_best_plugin, median_best])
@pytest.mark.parametrize("k", [0, 7])
def test_a_budget_that_the_trials_do_not_cover_is_refused(estimate: Estimator, k: int) -> None:
    with pytest.raises(ValueError, match=f"the best of {k} of 6 trials"):
        estimate(PUBLISHED, k)


def test_the_band_is_over_settings_and_the_same_each_time() -> None:
    """Ten copies of each run say nothing new: a band over runs would be about a third as wide."""
    once = [np.array([x]) for x in PUBLISHED]
    tenfold = [np.repeat(x, 10) for x in PUBLISHED]
    band = bootstrap_band(once, expected_best_curve, 3)
    again = bootstrap_band(once, expected_best_curve, 3)
    assert np.array_equal(band.low, again.low) and np.array_equal(band.high, again.high)
    copies = bootstrap_band(tenfold, expected_best_curve, 1)
    assert (copies.low[0], copies.high[0]) == pytest.approx((band.low[0], band.high[0]))
    # Of the mean, the bootstrap's standard error is the standard deviation (ddof 0) over √6.
    width = 2 * 1.96 * PUBLISHED.std() / math.sqrt(6)
    assert band.high[0] - band.low[0] == pytest.approx(width, rel=0.08)
    curve = expected_best_curve(PUBLISHED, 3)
    assert (band.low < curve).all() and (curve < band.high).all()


def test_the_bands_ends_are_quantiles_of_all_resamples() -> None:
    scores = [1.0, 2.0, 4.0, 8.0]
    minima = sorted(np.mean([min(p) for p in combinations(draw, 2)]) for draw in product(scores, repeat=4))
    low, high = np.quantile(minima, [0.025, 0.975], method="inverted_cdf")
    band = bootstrap_band([np.array([x]) for x in scores], expected_best_curve, 2)
    assert (band.low[1], band.high[1]) == pytest.approx((low, high))


def test_a_band_with_diverged_trials_and_settings_of_unequal_size() -> None:
    settings = [np.array([5.0] * 6), np.array([4.0]), np.array([math.inf]), np.array([6.0])]
    band = bootstrap_band(settings, median_best_curve, 9)  # a resample may hold four runs only
    assert (band.low <= band.high).all() and not np.isnan(band.low).any()
    assert band.low[-1] == 4.0 and band.high[0] == math.inf


def exact_probabilities(groups: list[list[float]], trials: list[int]) -> list[float]:
    """The share of all combinations of subsets in which each group is the best."""
    totals, count = [0.0] * len(groups), 0
    subsets = [list(combinations(scores, k)) for scores, k in zip(groups, trials, strict=True)]
    for drawn in product(*subsets):
        best = [min(subset, default=None) for subset in drawn]
        lowest = min(b for b in best if b is not None)
        winners = [place for place, b in enumerate(best) if b == lowest]
        for place in winners:
            totals[place] += 1 / len(winners)
        count += 1
    return [total / count for total in totals]


@pytest.mark.parametrize("trials", [[1, 1, 1], [2, 2, 2], [3, 1, 0], [4, 3, 5], [0, 0, 2]])
def test_the_probability_is_the_share_of_all_subsets(trials: list[int]) -> None:
    groups = [[1.0, 3.0, 5.0, math.inf], [2.0, 3.0, 4.0], [1.0, 6.0, math.inf, math.inf, 9.0]]
    ours = probability_of_best([np.array(scores) for scores in groups], np.array(trials)[:, None])
    # Five standard errors of a share of 2,000 resamples.
    assert ours[:, 0] == pytest.approx(exact_probabilities(groups, trials), abs=5 * 0.5 / math.sqrt(2000))


@given(
    st.lists(st.lists(st.sampled_from([1.0, 2.0, math.inf]), min_size=3, max_size=5), min_size=2, max_size=4)
)
def test_probabilities_sum_to_one(groups: list[list[float]]) -> None:
    trials = np.tile(np.arange(1, 4), (len(groups), 1))
    probabilities = probability_of_best([np.array(scores) for scores in groups], trials)
    assert probabilities.shape == trials.shape
    assert probabilities.sum(axis=0) == pytest.approx(1)


def test_ties_are_shared_and_who_has_no_trial_is_not_the_best() -> None:
    groups = [np.full(4, 2.0), np.full(4, 2.0), np.full(4, math.inf)]
    trials = np.array([[1, 4, 0, 0, 0], [1, 4, 1, 0, 0], [1, 4, 1, 2, 0]])
    probabilities = probability_of_best(groups, trials)
    assert probabilities.T.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    with pytest.raises(ValueError, match="5 trials of a group that has 4"):
        probability_of_best(groups, np.full((3, 1), 5))


def test_a_budget_in_seconds_buys_whole_runs() -> None:
    trials = affordable_trials(np.array([10.0, 25.0, 0.1]), np.array([9.0, 10.0, 24.9, 50.0]))
    assert trials[:2].tolist() == [[0, 1, 2, 5], [0, 0, 0, 2]]
    assert trials[2].tolist() == [90, 100, 249, 500]
    for seconds in np.random.default_rng(0).uniform(1, 100, 50):
        budgets = np.arange(1, 200) * seconds
        assert affordable_trials(np.array([seconds]), budgets)[0].tolist() == list(range(1, 200))
