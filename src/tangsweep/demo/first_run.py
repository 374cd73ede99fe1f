"""Trains the small default, for a page that has no model yet."""

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tangsweep.demo import models
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY, outputs_folder

SWEEP = "demo"
EPOCHS = 100  # the default
COMMAND = (
    sys.executable,
    str(REPOSITORY / "src" / "train.py"),
    "hydra/launcher=basic",
    "logger=csv",  # no mirror, wherever the environment would have one
    f"sweep.name={SWEEP}",
    f"trainer.max_epochs={EPOCHS}",
)
LOOK = 0.3  # seconds between looks at its metrics


def train() -> Iterator[float]:
    """Yields the share that is done, as the run's own metrics.csv tells.

    Raises UserError where it fails, or leaves no model. Ended early, it ends the training.
    """
    began = time.time()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(COMMAND, stdout=told, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                yield _done(began)
                time.sleep(LOOK)
        finally:
            process.terminate()  # nothing, where it has ended
            process.wait()
        if process.returncode:
            told.seek(0)
            lines = told.read().decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise UserError(f"training failed: {lines[-1]}")
    if not models.offered():
        raise UserError("training left no model: outputs/demo/ holds its log")
    yield 1.0


def _done(began: float) -> float:
    """Of a run that has gone on since `began`."""
    files = (
        path for path in (outputs_folder() / SWEEP).glob("*/metrics.csv") if path.stat().st_mtime >= began
    )
    return max(map(_epochs, files), default=0) / EPOCHS


def _epochs(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return max((int(row["epoch"]) for row in csv.DictReader(file) if row["val/loss"]), default=0)
