"""A search finds good settings with less training than random search, on recorded runs."""

import statistics

import pytest
from benchmarks import search_quality

from tests.sweep.recorded_curves import recorded_curves


def test_a_third_of_the_training_of_random_search_is_enough() -> None:
    curves, seeds = recorded_curves(), range(50)
    assert len(curves) >= 150
    by_chance = statistics.median(search_quality.random_search(curves, seed) for seed in seeds)
    searched = statistics.median(search_quality.pruned_search(curves, seed) for seed in seeds)
    assert searched <= by_chance / 3


def test_batches_leave_workers_idle() -> None:
    assert search_quality.busy_share([1, 3, 1, 3], 2, in_batches=True) == pytest.approx(8 / 12)
    assert search_quality.busy_share([1, 3, 1, 3], 2, in_batches=False) == pytest.approx(8 / 10)
    assert search_quality.busy_share([2.0] * 6, 3, in_batches=True) == 1
