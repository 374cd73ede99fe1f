"""Kill searches at random moments, and show that what they leave is what an undisturbed search leaves.

    python benchmarks/search_kills.py --kills 30 --workers 1
    python benchmarks/search_kills.py --kills 30 --workers 2 --folder /tmp/kills

Each kill is a SIGKILL of the whole process group after so many events (decisions, rows of metrics, records)
as a generator draws. Then the same command goes on. With one worker search.jsonl and all records must equal
those of an undisturbed search; with more, each decision must be reproduced by replaying what it knew, and
each record must equal that of the same config, trained alone. tests/test_slow_search.py has fewer kills.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.search_log import FILE_NAME, read_search
from tangsweep.runs.state import State, run_state
from tangsweep.sweep.search_state import unlike_replay

TRIALS = 12  # of each of two optimizers
BASE = (
    "corpus=sample", "data.poems=24", "data.batch_size=2", "trainer.max_epochs=9", "model.hidden_size=8",
    "model.embed_size=8", "logger=csv", "poems.quality=false", "poems.starts='山'",
)  # fmt: skip
SEARCH = (
    "-m", *BASE, "optimizer=adam,sgd", "optimizer.lr=tag(log,interval(1e-3,1))", "search.startup=4",
    "search.min_epochs=1", "sweep.name=s", "report=false",
)  # fmt: skip
TIMED = ("seconds", "chars_per_second", "finished", "cost", "git", "checksums")
POLL_SECONDS = 0.02


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start src/train.py as the leader of a process group, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *arguments],
        env={**os.environ, "TANGSWEEP_HOME": str(home)},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed, and return what it printed."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the command failed:\n{output}")
    return output


def events(sweep: Path) -> int:
    """Return how much has happened: lines of search.jsonl and of each metrics.csv, and records."""
    paths = [sweep / FILE_NAME, *sweep.glob("*/metrics.csv")]
    count = len(list(sweep.glob("*/result.json")))
    for path in paths:
        with suppress(FileNotFoundError):
            count += path.read_bytes().count(b"\n")
    return count


def kill_after(process: subprocess.Popen[str], sweep: Path, goal: int) -> bool:
    """Kill the group once there are `goal` events; return False where the command ended before."""
    while process.poll() is None and events(sweep) < goal:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    folders = [RunFolder(path.parent) for path in sweep.glob("*/config.yaml")]
    while any(run_state(folder) is State.RUNNING for folder in folders):
        os.sched_yield()  # until the system has taken the locks back
    return True


def records(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return every record by its run, without what differs from one time to the next."""
    read = {p.parent.name: json.loads(p.read_text(encoding="utf-8")) for p in sweep.glob("*/result.json")}
    return {run: {k: v for k, v in record.items() if k not in TIMED} for run, record in read.items()}


class Harried(NamedTuple):
    """A search that was killed again and again, and then ended."""

    sweep: Path
    kills: int


def harry(home: Path, workers: int, trials: int, kills: int, seed: int) -> Harried:
    """Run a search to its end through `kills` kills, or as many as there is work for."""
    home.mkdir()
    sweep, generator, count = home / "outputs" / "s", random.Random(seed), 0
    command = (*SEARCH, f"search.trials={trials}", f"hydra.launcher.workers={workers}")
    longest = max(2, round(15 * trials / kills))  # events from a start to its kill; a setting has ten or so
    while count < kills:
        process = start(home, *command)
        if not kill_after(process, sweep, events(sweep) + generator.randint(1, longest)):
            break
        count += 1
    finish(start(home, *command))
    return Harried(sweep, count)


def check_file(sweep: Path, trials: int) -> None:
    """Raise AssertionError where a line is lost or doubled, or a replay decides otherwise."""
    header, lines = read_search(sweep / FILE_NAME)
    assert header is not None
    steps = [line.step for line in lines if line.step]
    assert len(steps) == len(set(steps)), "a run was launched twice"
    assert sum(step.rung == 0 for step in steps) == 2 * trials, "a trial was lost"
    unlike = unlike_replay(header, lines, trials)
    assert not unlike, f"a replay decides otherwise in lines {unlike}"
    assert not list(sweep.glob("*.replaced-*")), "a run was trained anew"


def check_records_alone(sweep: Path, home: Path) -> int:
    """Train each run that has a record alone, never paused; raise AssertionError where it is another."""
    home.mkdir()
    for run, record in records(sweep).items():
        own = [o for o in record["overrides"] if not o.startswith(("search.", "sweep.", "report", "hydra"))]
        finish(start(home, *own, "sweep.name=alone"))
        [alone] = [r for name, r in records(home / "outputs" / "alone").items() if name[-8:] == run[-8:]]
        differing = {k for k in record if k not in ("overrides", "run_id") and record[k] != alone[k]}
        assert not differing, f"{run} differs from the same run alone in {sorted(differing)}"
    return len(records(sweep))


def check_against_calm(harried: Path, calm: Path) -> None:
    """Raise AssertionError where a killed search with one worker left something else than a calm one."""
    one, other = ((sweep / FILE_NAME).read_bytes() for sweep in (harried, calm))
    assert one == other, "search.jsonl differs"
    assert records(harried) == records(calm), "records differ"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each of two optimizers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where the searches lie (default: a temporary folder, removed)")
    options = parser.parse_args(arguments)
    folder = Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    try:
        result = harry(folder / "harried", options.workers, options.trials, options.kills, options.seed)
        print(f"{result.kills} kills, {len(records(result.sweep))} records")
        check_file(result.sweep, options.trials)
        print("no line lost, nothing launched twice, every decision reproduced by a replay")
        if options.workers == 1:
            (calm := folder / "calm").mkdir()
            finish(start(calm, *SEARCH, f"search.trials={options.trials}", "hydra.launcher.workers=1"))
            check_against_calm(result.sweep, calm / "outputs" / "s")
            print("search.jsonl and records equal those of an undisturbed search")
        else:
            count = check_records_alone(result.sweep, folder / "alone")
            print(f"{count} records equal those of the same runs, trained alone")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
