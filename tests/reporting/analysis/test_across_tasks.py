"""Profiles, probabilities and means over tasks: by hand, by brute force, and against SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tangsweep.reporting.analysis.across_tasks import (
    ERROR_ALLOWANCE,
    SharedTask,
    TunedRuns,
    interquartile_mean,
    most_preferred,
    probability_of_improvement,
)
from tangsweep.reporting.analysis.performance_profiles import (
    largest_crossing,
    performance_ratios,
    preferences,
    profile_scores,
    profile_share,
)

COSTS = st.lists(st.sampled_from([1.0, 2.0, 3.5, 7.0, math.inf]), min_size=1, max_size=6)
TIMES = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 5.0, 9.0, math.inf]), min_size=3, max_size=3),
    min_size=1,
    max_size=5,
)


def task(costs: dict[str, list[float]], title: str = "a task") -> SharedTask:
    """Return a task in which only scores matter."""
    tuned = {
        name: TunedRuns(name, np.ones(len(values)), np.ones(len(values)), np.array(values))
        for name, values in costs.items()
    }
    return SharedTask(title, 1.0, False, tuned)


def test_profiles_by_hand() -> None:
    """Two tasks, three competitors, and one miss."""
    ratios = performance_ratios(np.array([[10.0, 20.0, math.inf], [30.0, 15.0, 45.0]]))
    assert ratios.tolist() == [[1, 2, math.inf], [2, 1, 3]]
    assert profile_share(ratios, 1).tolist() == [0.5, 0.5, 0]
    assert profile_share(ratios, 1.99).tolist() == [0.5, 0.5, 0]
    assert profile_share(ratios, 2).tolist() == [1, 1, 0]
    assert profile_share(ratios, 4).tolist() == [1, 1, 0.5]
    # ½ from 1 to 2 and 1 from 2 to 4: 2.5 of 3; the third has ½ from 3 to 4: 0.5 of 3.
    assert profile_scores(ratios) == pytest.approx([2.5 / 3, 2.5 / 3, 0.5 / 3])


@given(TIMES)
def test_the_score_is_the_integral_of_the_profile(rows: list[list[float]]) -> None:
    ratios = performance_ratios(np.array(rows))
    taus = 1 + 3 * (np.arange(3000) + 0.5) / 3000
    theirs = np.mean([profile_share(ratios, tau) for tau in taus], axis=0)
    assert profile_scores(ratios) == pytest.approx(theirs, abs=1e-3)


def test_a_task_that_nobody_finished_counts_against_all() -> None:
    ratios = performance_ratios(np.array([[math.inf, math.inf], [3.0, 3.0]]))
    assert ratios.tolist() == [[math.inf, math.inf], [1, 1]]
    assert profile_scores(ratios).tolist() == [0.5, 0.5]


def test_a_target_that_the_untrained_model_reaches() -> None:
    assert performance_ratios(np.array([[0.0, 0.0, 10.0]])).tolist() == [[1, 1, math.inf]]


@given(COSTS, COSTS)
def test_preferences_count_pairs(costs: list[float], others: list[float]) -> None:
    ours = preferences(np.array(costs), np.array(others))
    brute = sum(1.0 if a < b else 0.5 if a == b else 0.0 for a in costs for b in others)
    assert ours.shape == (len(costs), len(others))
    assert ours.sum() == brute
    # SciPy's U counts pairs in which the first is larger.
    finite = [[min(value, 99.0) for value in values] for values in (others, costs)]
    assert brute == stats.mannwhitneyu(*finite, method="asymptotic").statistic


def test_the_probability_is_a_mean_over_tasks_whatever_their_runs() -> None:
    """By hand: 1 of 1 pairs in one task, (1 + ½ + 1 + 1) of 2 × 2 in the other; not 4.5 of 5."""
    tasks = [task({"a": [1.0], "b": [2.0]}), task({"a": [1.0, 3.0], "b": [3.0, math.inf]})]
    chance = probability_of_improvement(tasks, "a", "b")
    assert chance.value == pytest.approx((1 + 3.5 / 4) / 2)
    assert math.isnan(chance.low) and math.isnan(chance.high)  # one run shows no spread
    assert probability_of_improvement(tasks, "b", "a").value == pytest.approx(1 - chance.value)
    assert most_preferred(tasks) == "a"


def test_the_most_preferred_is_best_on_average_over_its_rivals() -> None:
    """b wins one task by far, but c is ahead of both others in two."""
    tasks = [
        task({"a": [3.0, 4.0], "b": [1.0, 1.1], "c": [1.5, 1.6]}),
        task({"a": [2.0, 2.1], "b": [5.0, 6.0], "c": [1.0, 1.2]}),
        task({"a": [2.0, 2.1], "b": [5.0, math.inf], "c": [1.0, 1.2]}),
    ]
    assert most_preferred(tasks) == "c"


def test_the_bootstrap_draws_runs_within_task_and_competitor() -> None:
    """Against resampling by index: the same quantiles but for chance; and the same interval every time."""
    generator = np.random.default_rng(1)
    costs = [{"a": generator.normal(0, 1, 6), "b": generator.normal(0.6, 1, 8)} for _ in range(3)]
    tasks = [task({name: list(values) for name, values in pair.items()}) for pair in costs]
    ours = probability_of_improvement(tasks, "a", "b")
    theirs = [
        np.mean(
            [
                preferences(*(generator.choice(pair[name], len(pair[name])) for name in "ab")).mean()
                for pair in costs
            ]
        )
        for _ in range(4000)
    ]
    assert ours.value == pytest.approx(np.mean([preferences(pair["a"], pair["b"]).mean() for pair in costs]))
    assert (ours.low, ours.high) == pytest.approx(np.quantile(theirs, [0.025, 0.975]), abs=0.02)
    assert 0.15 < ours.high - ours.low < 0.6
    assert probability_of_improvement(tasks, "a", "b") == ours


def test_interquartile_mean_by_hand() -> None:
    """The best means are 10 and 100. Of a's ratios 0.9, 1.1, 1.2, 1.4, 2, 3, 4, ∞ the middle four count."""
    tasks = [
        task({"a": [9.0, 11.0, 12.0, 14.0], "b": [10.0, 10.0, 10.0, 10.0]}),
        task({"a": [200.0, 300.0, 400.0, math.inf], "b": [100.0, 100.0, 100.0, 100.0]}),
    ]
    mean = interquartile_mean(tasks, "a")
    assert mean.value == pytest.approx((1.2 + 1.4 + 2 + 3) / 4)
    assert mean.low < mean.value < mean.high
    assert interquartile_mean(tasks, "b") == (1, 1, 1)


def test_more_than_a_quarter_of_failures_has_no_finite_mean() -> None:
    tasks = [task({"a": [1.0, math.inf, math.inf, 1.0], "b": [1.0, 1.0, 1.0, 1.0]})]
    assert interquartile_mean(tasks, "a").value == math.inf


def test_the_best_mean_is_not_that_of_a_survivor() -> None:
    """a has the best run, and one that failed."""
    assert task({"a": [5.0, math.inf], "b": [10.0, 12.0]}).best_mean_cost == 11
    assert task({"a": [5.0, math.inf], "b": [math.inf, math.inf]}).best_mean_cost == 5
    assert 0 < ERROR_ALLOWANCE < 0.01


@pytest.mark.parametrize(
    ("competitors", "crossing"),
    [
        ([], ([], [])),
        ([{"a", "b"}], ([], [])),
        ([{"a", "b"}, {"a", "c"}], ([], [])),
        ([{"a", "b"}, {"c"}, {"b", "a", "d"}], ([0, 2], ["a", "b"])),
        ([{"w", "x", "y", "z"}, {"a", "b"}, {"a", "b"}], ([1, 2], ["a", "b"])),
        # As many pairs either way: more tasks.
        ([{"a", "b", "c"}, {"a", "b", "c"}, {"a", "b"}], ([0, 1, 2], ["a", "b"])),
        ([set("abcd"), set("abcd"), {"a", "b"}], ([0, 1], ["a", "b", "c", "d"])),
        # What three tasks share is what no two of them share alone.
        ([set("abcd"), set("abef"), set("cdefab"), set("abgh")], ([0, 1, 2, 3], ["a", "b"])),
    ],
)
def test_the_largest_crossing(competitors: list[set[str]], crossing: tuple[list[int], list[str]]) -> None:
    assert largest_crossing(competitors) == crossing
