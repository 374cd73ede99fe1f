"""Searches that are killed with all their processes go on as if nothing had happened."""

import shlex
from pathlib import Path

import pytest
from benchmarks import search_kills

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import State, run_state
from tests.conftest import RunCommand

TRIALS = 4  # of each of two optimizers


def tutorial() -> list[list[str]]:
    """Return the arguments of the first commands of docs/search.md."""
    page = (REPOSITORY / "docs" / "search.md").read_text(encoding="utf-8")
    fence = page.partition("## Tutorial")[2].split("```\n")[1]
    return [shlex.split(line)[2:] for line in fence.splitlines()]


@pytest.mark.slow
def test_the_tutorial(home: Path, run_command: RunCommand) -> None:
    shorter = ("data.poems=12", "trainer.max_epochs=3", "report=false", "hydra/launcher=basic")
    base = shlex.join([*search_kills.BASE, *shorter])
    for arguments in tutorial():
        done = run_command(f"train {shlex.join(arguments)} {base}")
        assert done.status == 0, done
    states = [run_state(RunFolder(path.parent)) for path in home.glob("outputs/*/*/config.yaml")]
    assert states == [State.DONE] * 18  # of each optimizer nine, which the last command brings to their end


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
