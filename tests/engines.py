"""Sweeps that tests start on an engine and disturb, and their records."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tests.slurm_cluster import wait_until
from tests.test_slow_faults import TIMED

DIFFER = {"wandb", "git"} | TIMED
SIX = (
    "-m", "optimizer=sgd,adam,rmsprop", "seed=0,1", "corpus=sample", "data.poems=24", "data.batch_size=4",
    "trainer.max_epochs=3", "trainer.log_every=2", "model.hidden_size=8", "poems.starts='山'", "logger=csv",
    "report=false",
)  # fmt: skip
# So long that there is time to disturb them, and with a checkpoint after every epoch.
LONG = (*SIX[:1], "seed=0,1", *SIX[3:6], "trainer.max_epochs=300", *SIX[7:])
SWEEPS = {SIX: "optimizer_seed"}  # of other commands: seed
SENTENCES_OF_OTHERS = re.compile(r"Warning|Traceback|SLURM|sacct|submitit|\(pid=|raylet", re.IGNORECASE)


class StartedSweep:
    """A command that trains in the background."""

    def __init__(
        self, home: Path, environment: Mapping[str, str], command: tuple[str, ...], *options: str
    ) -> None:
        self.sweep = home / "outputs" / SWEEPS.get(command, "seed")
        home.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "src" / "train.py"), *command, *options],
            env={**environment, "TANGSWEEP_HOME": str(home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored by jobs in the background
        )  # fmt: skip

    def end(self, status: int = 0) -> str:
        """Wait for the end of the command and return what it has printed."""
        out, _ = self._process.communicate(timeout=300)
        assert self._process.returncode == status, out
        return out

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def runs(self) -> list[RunFolder]:
        return [RunFolder(path.parent) for path in sorted(self.sweep.glob("*/config.yaml"))]

    def await_epochs(self, count: int, runs: int = 1) -> list[RunFolder]:
        """Wait until so many runs have trained so many epochs and not ended; return these."""
        going: list[RunFolder] = []

        def is_there() -> bool:
            going[:] = [r for r in self.runs() if not r.result.exists() and epochs(r) >= count]
            assert self._process.poll() is None, self._process.communicate()[0]
            return len(going) >= runs

        wait_until(is_there, 120)
        return list(going)


def epochs(run: RunFolder) -> int:
    rows = MetricsFile(run.metrics).rows()
    return max((row["epoch"] for row in rows if "val/loss" in row), default=0)  # type: ignore[return-value]


def records(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a sweep's runs by the runs' names, without what differs from time to time."""
    return {
        path.parent.name: {
            key: value for key, value in json.loads(path.read_text("utf-8")).items() if key not in DIFFER
        }
        for path in sorted(sweep.glob("*/result.json"))
    }


def serial_records(home: Path, command: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the records of the same runs, trained one after the other."""
    sweep = StartedSweep(home, os.environ, command, "hydra/launcher=basic")
    sweep.end()
    return records(sweep.sweep)


@contextmanager
def written_once(sweep: Path) -> Iterator[None]:
    """Fail where a record that is there at the beginning of the block is written again in it."""
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("*/result.json")}
    yield
    assert {path: path.stat().st_mtime_ns for path in before} == before
