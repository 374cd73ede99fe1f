"""Against statsmodels, and against numbers worked out by hand."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from tangsweep.reporting.analysis.statistics import (
    PRELIMINARY_TEST_FACTOR,
    compare_groups,
    confidence_interval,
    fit_power_law,
    interval_half_widths,
    paired_difference,
)

SCORES = st.lists(st.floats(1, 1e4, allow_subnormal=False), min_size=2, max_size=12)


@given(SCORES)
def test_the_interval_is_students(scores: list[float]) -> None:
    ours = confidence_interval(scores)
    assert ours is not None and ours.low is not None and ours.high is not None
    theirs = DescrStatsW(scores).tconfint_mean()
    assert (ours.low, ours.high) == pytest.approx(theirs, rel=1e-9, abs=1e-6)
    several = interval_half_widths(pd.Series([np.std(scores, ddof=1)]), pd.Series([len(scores)]))
    assert several.iloc[0] == pytest.approx(ours.half, rel=1e-9, abs=1e-9)


def test_no_interval_is_made_up() -> None:
    assert confidence_interval([]) is None
    assert confidence_interval([math.nan]) is None
    assert confidence_interval([5.0]) == (5.0, None, 1)
    assert confidence_interval([5.0, math.nan]) == (5.0, None, 1)
    infinite = confidence_interval([5.0, math.inf])
    assert infinite is not None and (infinite.mean, infinite.half) == (math.inf, None)
    assert interval_half_widths(pd.Series([math.nan]), pd.Series([1])).isna().all()
    one = confidence_interval([5.0])
    assert one is not None and (one.low, one.high) == (None, None)


def test_differences_by_seed() -> None:
    """By hand: differences 1, 2, 3 have mean 2 and standard error 1/√3."""
    difference = paired_difference({0: 11.0, 1: 22.0, 2: 33.0, 9: 5.0}, {0: 10.0, 1: 20.0, 2: 30.0, 8: 1.0})
    assert difference is not None and difference.half is not None
    assert (difference.mean, difference.n) == (2.0, 3)
    assert difference.half == pytest.approx(4.302652729911275 / math.sqrt(3))
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({0: 3.0}, {0: 1.0}) == (2.0, None, 1)
    assert paired_difference({0: math.inf, 1: 2.0}, {0: 1.0, 1: 1.0}) is None


def draw(generator: np.random.Generator, shifts: Sequence[float], seeds: int) -> np.ndarray:
    """Draw scores (groups, seeds) with these means, an effect of each seed, and the best mean first."""
    noise = generator.standard_normal((len(shifts), seeds)) + 3 * generator.standard_normal(seeds)
    scores = 100 + np.asarray(shifts)[:, None] + noise
    return scores[np.argsort(scores.mean(axis=1))]


@pytest.fixture
def decisions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide by the critical value of the 5 % level: thousands of p-values would take scipy minutes."""
    original = stats.studentized_range

    @cache
    def critical(groups: int, df: int) -> float:
        return float(original.ppf(1 - 0.05 / PRELIMINARY_TEST_FACTOR, groups, df))

    class Decisions:
        @staticmethod
        def sf(q: np.ndarray, groups: int, df: int) -> np.ndarray:
            return np.where(q > critical(groups, df), 0.0, 1.0)

    monkeypatch.setattr(stats, "studentized_range", Decisions)


class TestGroups:
    def test_one_variance_is_tukeys_test_with_seeds_as_blocks(self) -> None:
        scores = draw(np.random.default_rng(4), [0, 1, 2, 4], 5)
        tests = compare_groups(scores)
        assert tests is not None and tests.pooled
        long = pd.DataFrame(
            [(g, s, value) for g, row in enumerate(scores) for s, value in enumerate(row)],
            columns=["group", "seed", "score"],
        )
        fit = smf.ols("score ~ C(group) + C(seed)", long).fit()
        error = math.sqrt(2 * fit.mse_resid / 5)
        for row, p in zip(scores[1:], tests.p_values, strict=True):
            q = math.sqrt(2) * (row.mean() - scores[0].mean()) / error
            expected = stats.studentized_range.sf(q, 4, fit.df_resid)
            assert p == pytest.approx(min(1, 1.1 * expected), rel=1e-6)
        gap = (scores[1].mean() - scores[0].mean()) / error
        by_hand = 1.1 * 2 * stats.t.sf(gap, fit.df_resid)
        assert tests.p_best == pytest.approx(min(1, max(by_hand, min(tests.p_values))), rel=1e-6)

    def test_two_groups_are_the_paired_t_test(self) -> None:
        tests = compare_groups(np.array([[10.0, 20.0, 30.0], [11.0, 22.0, 33.0]]))
        assert tests is not None
        assert tests.p_values == pytest.approx([0.07417990022744862])
        assert (tests.p_best, tests.pooled) == (tests.p_values[0], False)

    def test_spreads_that_differ_have_variances_of_their_own(self) -> None:
        generator = np.random.default_rng(0)
        wide = 160 + 50 * generator.standard_normal((2, 6))
        scores = np.concatenate([draw(generator, [0, 40], 6), wide])
        scores = scores[np.argsort(scores.mean(axis=1))]
        tests = compare_groups(scores)
        assert tests is not None and not tests.pooled
        for row, p in zip(scores[1:], tests.p_values, strict=True):
            alone = stats.ttest_rel(row, scores[0]).pvalue
            assert p == pytest.approx(min(1, 1.1 * min(1, 6 * alone)))

    @pytest.mark.parametrize(
        "scores",
        [
            [[1.0, 2.0, 3.0]],
            [[1.0], [2.0]],
            [[1.0, 2.0], [2.0, math.inf]],
            [[1.0, 2.0], [1.1, 2.1]],  # the same difference at each seed, up to rounding
            [[1.0, 2.0], [1.0, 2.0], [5.0, 7.0]],
        ],
    )
    def test_no_test_where_there_can_be_none(self, scores: list[list[float]]) -> None:
        assert compare_groups(np.array(scores)) is None

    @pytest.mark.slow
    @pytest.mark.usefixtures("decisions_only")
    @pytest.mark.parametrize("groups", [2, 6, 24])
    @pytest.mark.parametrize("seeds", [3, 5, 10])
    def test_equal_groups_are_told_apart_in_one_of_twenty_at_most(self, groups: int, seeds: int) -> None:
        """A false claim is that the first group is better than any other, or than all."""
        generator, draws = np.random.default_rng(groups * 100 + seeds), 1000
        claims = 0
        for _ in range(draws):
            tests = compare_groups(draw(generator, [0] * groups, seeds))
            assert tests is not None
            claims += min(*tests.p_values, tests.p_best) < 0.05
        assert claims / draws < 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)

    @pytest.mark.slow
    @pytest.mark.usefixtures("decisions_only")
    def test_two_tied_leaders_are_told_apart_in_one_of_twenty_at_most(self) -> None:
        """The others are far behind, so that only the two can be mistaken: the hardest case for `p_best`."""
        generator, draws = np.random.default_rng(7), 1000
        tests = [compare_groups(draw(generator, [0, 0, 90, 90, 90, 90], 5)) for _ in range(draws)]
        claims = sum(t is not None and min(t.p_values[0], t.p_best) < 0.05 for t in tests)
        assert claims / draws < 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)

    @pytest.mark.slow
    @pytest.mark.usefixtures("decisions_only")
    def test_four_standard_errors_are_seen(self) -> None:
        """One of six groups is better by four standard errors of a difference, five seeds."""
        generator, draws = np.random.default_rng(8), 1000
        shift = 4 * math.sqrt(2 / 5)
        tests = [compare_groups(draw(generator, [0, *[shift] * 5], 5)) for _ in range(draws)]
        better_than_all = sum(t is not None and t.p_best < 0.05 for t in tests) / draws
        assert better_than_all > 0.8


def test_a_power_law_is_found_again() -> None:
    sizes = [1e3, 1e4, 1e5, 1e6]
    law = fit_power_law(sizes, [50 * size**-0.25 for size in sizes])
    assert law is not None and law.exponent.half is not None
    assert (law.factor, law.exponent.mean) == pytest.approx((50, -0.25))
    assert law.exponent.half < 1e-6
    assert fit_power_law([1e3, 1e3, 1e4], [1.0, 2.0, 3.0]) is None


def test_repeated_sizes_count_once_and_show_a_lack_of_fit() -> None:
    """Against the same regression by statsmodels on means, and its F-test of a line among free means."""
    generator = np.random.default_rng(3)
    sizes = np.repeat([1e3, 3e3, 1e4, 1e5], 6)
    scores = np.exp(8 - 0.2 * np.log(sizes) + 0.1 * generator.standard_normal(24))
    law = fit_power_law(list(sizes), list(scores))
    assert law is not None and law.exponent.n == 4
    frame = pd.DataFrame({"x": np.log(sizes), "y": np.log(scores)})
    means = frame.groupby("x", as_index=False)["y"].mean()
    fit = smf.ols("y ~ x", means).fit()
    interval = list(fit.conf_int().loc["x"])
    assert [law.exponent.low, law.exponent.high] == pytest.approx(interval, rel=1e-6)
    line, free = smf.ols("y ~ x", frame).fit(), smf.ols("y ~ C(x)", frame).fit()
    assert law.lack_of_fit == pytest.approx(float(sm.stats.anova_lm(line, free)["Pr(>F)"].iloc[1]), rel=1e-6)


def test_the_interval_of_a_power_law_is_that_of_statsmodels() -> None:
    sizes, scores = [1e3, 2e3, 5e3, 1e4, 3e4], [900.0, 640.0, 430.0, 350.0, 210.0]
    law = fit_power_law(sizes, scores)
    assert law is not None
    fit = sm.OLS(np.log(scores), sm.add_constant(np.log(sizes))).fit()
    assert [law.exponent.low, law.exponent.high] == pytest.approx(list(fit.conf_int()[1]), rel=1e-9)
