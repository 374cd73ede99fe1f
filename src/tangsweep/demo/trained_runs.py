"""The trained runs that the page offers: runs of poems under outputs/, or a first one that it trains."""

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import yaml

from tangsweep.checkpoint import TrainedModel, load_model
from tangsweep.console import format_number
from tangsweep.errors import UserError
from tangsweep.files import outputs_folder
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Quality
from tangsweep.runs.record_file import read_record

MODELS_IN_MEMORY = 2
FIRST_RUN_SWEEP = "demo"
FIRST_RUN_EPOCHS = 100  # the default
FIRST_RUN_COMMAND = (
    sys.executable,
    "-m",
    "tangsweep",
    "train",
    "hydra/launcher=basic",
    "logger=csv",  # no mirror, even if the environment asks for one
    f"sweep.name={FIRST_RUN_SWEEP}",
    f"trainer.max_epochs={FIRST_RUN_EPOCHS}",
)
POLL_SECONDS = 0.3


def offered_runs() -> dict[str, str]:
    """Return `sweep/run` → its label on the page, the newest run first."""
    paths = sorted(
        (path.parent.parent for path in outputs_folder().glob("*/*/checkpoints/best.ckpt")),
        key=lambda path: RunFolder(path).best.stat().st_mtime,
        reverse=True,
    )
    return {_run_name(path): _label(path) for path in paths if _is_offered(RunFolder(path))}


def offered_run_folder(name: str) -> RunFolder:
    """Return the folder of an offered run. Raises UserError for any other name that a browser may send."""
    if name not in offered_runs():
        raise UserError("this run is not, or no longer, under outputs/: choose another")
    return RunFolder(outputs_folder() / name)


def cached_model(folder: RunFolder) -> TrainedModel:
    """Return the run's model, which is loaded again only after its checkpoint has changed."""
    return _load_model(folder.path, folder.best.stat().st_mtime_ns)


@lru_cache(maxsize=MODELS_IN_MEMORY)
def _load_model(path: Path, modified_ns: int) -> TrainedModel:
    return load_model(path)


def run_quality(folder: RunFolder) -> Quality | None:
    """Return the quality of a run's poems from its record."""
    record = read_record(folder)
    return record.quality if record else None


def _run_name(path: Path) -> str:
    return path.relative_to(outputs_folder()).as_posix()


def _label(path: Path) -> str:
    record = read_record(RunFolder(path))
    perplexity = record.dev.perplexity if record and record.dev else None
    return f"{_run_name(path)} (dev ppl {format_number(perplexity)})" if perplexity else _run_name(path)


def _is_offered(folder: RunFolder) -> bool:
    """Return whether a run is one of poems, was not replaced, and does not lie outside by a symbolic link."""
    inside = folder.best.resolve().is_relative_to(outputs_folder().resolve())
    if not inside or folder.replaced:
        return False
    try:
        if folder.config.exists():
            config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        else:  # a checkpoint of Lightning's own trainer, which somebody has put there
            config = cached_model(folder).config
        return bool(config["corpus"]["task"] == "poems")
    except (OSError, yaml.YAMLError, KeyError, TypeError, UserError):
        return False


def train_first_run() -> Iterator[float]:
    """Train the default model, for a page that has none; yield the share of epochs that are done.

    Raises UserError if training fails or leaves no model. Closing the iterator early ends the training.
    """
    started = time.time()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(FIRST_RUN_COMMAND, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                yield _first_run_progress(started)
                time.sleep(POLL_SECONDS)
        finally:
            process.terminate()  # does nothing if the process has ended
            process.wait()
        if process.returncode:
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise UserError(f"training failed: {lines[-1]}")
    if not offered_runs():
        raise UserError("training left no model: outputs/demo/ holds its log")
    yield 1.0


def _first_run_progress(started: float) -> float:
    """Return the share of epochs done by a run that started at the time `started`, from its metrics.csv."""
    paths = (outputs_folder() / FIRST_RUN_SWEEP).glob("*/metrics.csv")
    recent = (path for path in paths if path.stat().st_mtime >= started)
    return max(map(_evaluated_epochs, recent), default=0) / FIRST_RUN_EPOCHS


def _evaluated_epochs(metrics: Path) -> int:
    with metrics.open(encoding="utf-8", newline="") as file:
        return max((int(row["epoch"]) for row in csv.DictReader(file) if row["val/loss"]), default=0)
