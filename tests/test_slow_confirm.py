"""A sweep that confirms its choice, killed with all its processes again and again, and each time started alike."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from benchmarks import search_kills

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import State, run_state

COMMAND = (
    "-m", "optimizer=momentum,sgd", "optimizer.lr=0.01,0.3", "confirm.seeds=7,8", "sweep.name=s",
    "corpus=sample", "data.poems=24", "data.batch_size=2", "trainer.max_epochs=5", "model.hidden_size=8",
    "model.embed_size=8", "logger=csv", "poems.quality=false",
    "poems.starts='山'", "report=false",
)  # fmt: skip
CHOOSING_RUNS, ALL_RUNS = 4, 8
KILLS = 10
STRIDE = 8  # events from one start to the next kill; all runs together have 112
POLL_SECONDS = 0.03


def start(home: Path) -> subprocess.Popen[str]:
    return search_kills.start(home, *COMMAND)


def records(home: Path) -> dict[str, Any]:
    return search_kills.records(home / "outputs" / "s")


def events(home: Path) -> int:
    """Return how much has happened: runs that began and ended, and rows of their metrics."""
    sweep = home / "outputs" / "s"
    files = [*sweep.glob("*/config.yaml"), *sweep.glob("*/result.json")]
    return len(files) + sum(map(row_count, sweep.glob("*/metrics.csv")))


def row_count(metrics: Path) -> int:
    """Return the rows below the heading; a run that starts anew has none for a moment."""
    with contextlib.suppress(FileNotFoundError):
        return max(metrics.read_bytes().count(b"\n") - 1, 0)
    return 0


def kill_when(process: subprocess.Popen[str], home: Path, goal: int, at_border: bool) -> None:
    """Kill the whole group once so much has happened, or before that when the choice can be made."""
    while process.poll() is None and events(home) < goal:
        if at_border and len(records(home)) == CHOOSING_RUNS:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)  # so that looking takes no core from the sweep
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_locks(home: Path) -> None:
    """Wait until the system has taken the locks from the processes that were killed."""
    folders = [RunFolder(path.parent) for path in (home / "outputs" / "s").glob("*/config.yaml")]
    while any(run_state(folder) is State.RUNNING for folder in folders):
        os.sched_yield()


def choices(output: str) -> list[str]:
    """Return the lines that say which settings were chosen."""
    return [line.strip() for line in output.splitlines() if "is the best of 2 by development score" in line]


@pytest.mark.slow
def test_killed_at_up_to_ten_moments_it_makes_the_same_choice_and_the_same_records(home: Path) -> None:
    calm, harried = home / "calm", home / "harried"
    for folder in (calm, harried):
        folder.mkdir()
    undisturbed = start(calm)
    expected, _ = undisturbed.communicate()
    assert undisturbed.returncode == 0, expected
    moments: list[int] = []
    has_met_border = False
    while len(moments) < KILLS:
        process = start(harried)
        kill_when(process, harried, events(harried) + STRIDE, at_border=not has_met_border)
        if process.returncode == 0:  # it ended before it was killed: a fast machine gets on further each time
            break
        assert process.returncode == -signal.SIGKILL
        moments.append(events(harried))
        has_met_border = has_met_border or len(records(harried)) >= CHOOSING_RUNS
        wait_for_locks(harried)
    last = start(harried)
    output, _ = last.communicate()
    assert last.returncode == 0, output
    assert len(set(moments)) == len(moments) >= KILLS // 2, moments
    assert len(records(calm)) == ALL_RUNS
    assert records(harried) == records(calm)
    assert choices(output) == choices(expected) != []
