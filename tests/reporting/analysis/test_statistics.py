"""Against statsmodels, and against numbers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from tangsweep.reporting.analysis.statistics import (
    confidence_interval,
    fit_power_law,
    holm_correction,
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


@given(st.lists(st.floats(0, 1, allow_subnormal=False), max_size=9))
def test_holm(p_values: list[float]) -> None:
    theirs = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm_correction(p_values) == pytest.approx(list(theirs))


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm_correction([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]


def test_pairs_by_seed() -> None:
    """By hand: differences 1, 2, 3 have mean 2, standard error 1/√3, t = 2√3, p = 0.0742 on two degrees."""
    difference = paired_difference({0: 11.0, 1: 22.0, 2: 33.0, 9: 5.0}, {0: 10.0, 1: 20.0, 2: 30.0, 8: 1.0})
    assert difference is not None and difference.p is not None
    assert (difference.interval.mean, difference.interval.n) == (2.0, 3)
    assert difference.p == pytest.approx(0.07417990022744862)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    assert paired_difference({0: 3.0}, {0: 1.0}) == ((2.0, None, 1), None)
    assert paired_difference({0: math.inf, 1: 2.0}, {0: 1.0, 1: 1.0}) is None
    for ours in ({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}, {0: 1.1, 1: 2.1}):  # the same difference at each seed
        equal = paired_difference(ours, {0: 1.0, 1: 2.0})
        assert equal is not None and equal.p is None


def test_a_power_law_is_found_again() -> None:
    sizes = [1e3, 1e4, 1e5, 1e6]
    law = fit_power_law(sizes, [50 * size**-0.25 for size in sizes])
    assert law is not None and law.exponent.half is not None
    assert (law.factor, law.exponent.mean) == pytest.approx((50, -0.25))
    assert law.exponent.half < 1e-6
    assert fit_power_law([1e3, 1e3, 1e4], [1.0, 2.0, 3.0]) is None


def test_the_interval_of_a_power_law_is_that_of_statsmodels() -> None:
    sizes, scores = [1e3, 2e3, 5e3, 1e4, 3e4], [900.0, 640.0, 430.0, 350.0, 210.0]
    law = fit_power_law(sizes, scores)
    assert law is not None
    fit = sm.OLS(np.log(scores), sm.add_constant(np.log(sizes))).fit()
    assert [law.exponent.low, law.exponent.high] == pytest.approx(list(fit.conf_int()[1]), rel=1e-9)
