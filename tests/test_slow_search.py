"""Searches that are killed with all their processes go on as if nothing had happened."""

from pathlib import Path

import pytest
from benchmarks import search_kills

TRIALS = 4  # of each of two optimizers


@pytest.mark.slow
def test_killed_with_one_worker_it_leaves_what_an_undisturbed_search_leaves(tmp_path: Path) -> None:
    harried = search_kills.harry(tmp_path / "harried", workers=1, trials=TRIALS, kills=3, seed=1)
    assert harried.kills == 3
    search_kills.check_file(harried.sweep, TRIALS)
    (calm := tmp_path / "calm").mkdir()
    command = (*search_kills.SEARCH, f"search.trials={TRIALS}", "hydra.launcher.workers=1")
    search_kills.finish(search_kills.start(calm, *command))
    search_kills.check_against_calm(harried.sweep, calm / "outputs" / "s")


@pytest.mark.slow
def test_killed_with_two_workers_every_decision_is_reproduced(tmp_path: Path) -> None:
    harried = search_kills.harry(tmp_path / "harried", workers=2, trials=TRIALS, kills=2, seed=2)
    search_kills.check_file(harried.sweep, TRIALS)
    assert search_kills.check_records_alone(harried.sweep, tmp_path / "alone") >= 2
