"""The trained runs that the page offers: runs of poems under outputs/, or a first one that it trains."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from tangsweep.checkpoint import TrainedModel, load_model
from tangsweep.console import format_number, print_line
from tangsweep.corpora import tang
from tangsweep.errors import UserError
from tangsweep.files import outputs_folder
from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.record import Quality
from tangsweep.runs.record_file import read_record

MODELS_IN_MEMORY = 2
FIRST_RUN_SWEEP = "demo"
FIRST_RUN_POEMS = 2000  # two files of 全唐诗; the first alone is mostly hymns of the court
FIRST_RUN_STEPS = 1000  # at most; patience ends it earlier
FIRST_RUN_COMMAND = (
    sys.executable,
    "-m",
    "tangsweep",
    "train",
    "logger=csv",  # no mirror, even if the environment asks for one
    f"sweep.name={FIRST_RUN_SWEEP}",
    "sweep.varied=first",
    "data.batch_size=8",
    "data.min_freq=2",
    "data.test_poems=0",
    "model.tie_weights=true",
    "model.dropout=0.3",
    "init=uniform",
    "init.forget_bias=1",
    "optimizer=adamw",
    "optimizer.lr=0.01",
    "trainer.max_epochs=null",
    f"trainer.max_steps={FIRST_RUN_STEPS}",
    "trainer.patience=1",
    "poems.quality=false",  # measuring would download all of 全唐诗 first
)
POLL_SECONDS = 0.3


def offered_runs() -> dict[str, str]:
    """Return `sweep/run` → its label on the page, the newest run first."""
    paths = (path.parent.parent for path in outputs_folder().glob("*/*/checkpoints/best.ckpt"))
    offered = [folder for folder in map(RunFolder, paths) if _is_offered(folder)]
    offered.sort(key=lambda folder: folder.best.stat().st_mtime, reverse=True)
    return {_run_name(folder.path): _label(folder.path) for folder in offered}


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
    """Return whether a run is one of poems, was not replaced, and does not lie outside by a symbolic link.

    A run whose config cannot be read is not offered, and the terminal says so once.
    """
    try:
        _run_name(folder.path).encode()  # no other name can be sent to a browser
        inside = folder.best.resolve().is_relative_to(outputs_folder().resolve())
        if not inside or folder.replaced:
            return False
        # Without a config it is a checkpoint of Lightning's own trainer, which somebody has put there.
        config = read_config(folder) if folder.config.exists() else cached_model(folder).config
        return bool(config["corpus"]["task"] == "poems")
    except UserError as error:
        _say_once(str(error))
    except Exception as error:  # of a file that is no config: the other runs are offered all the same
        _say_once(
            f"{folder.config} is no config ({type(error).__name__}): its run is left out, train it anew"
        )
    return False


@cache
def _say_once(line: str) -> None:
    print_line(line)


class FirstRunProgress(NamedTuple):
    """How far the first run is."""

    share: float  # of all steps that it may take, from 0 to 1
    description: str


def train_first_run() -> Iterator[FirstRunProgress]:
    """Train a small model in less than a minute, for a page that has none, and yield how far it is.

    Raises UserError if training fails or leaves no model. Closing the iterator early ends the training.
    """
    yield FirstRunProgress(
        0.0, "looking for 全唐诗, the complete Tang poems; without a copy: downloading 1 MB"
    )
    command, started = (*FIRST_RUN_COMMAND, *_first_run_corpus()), time.time()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
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
        raise UserError(f"training left no model: outputs/{FIRST_RUN_SWEEP}/ holds its log")
    yield FirstRunProgress(1.0, "trained")


def _first_run_corpus() -> tuple[str, ...]:
    """Return the overrides that choose the poems: of 全唐诗, or without a network all of the sample."""
    if tang.find_poems(tang.PoemSource("tang"), 1).fallback:
        return "corpus=sample", "data.poems=null"
    return (f"data.poems={FIRST_RUN_POEMS}",)


def _first_run_progress(started: float) -> FirstRunProgress:
    """Read how far a run is that started at the time `started` from its metrics.csv."""
    paths = (outputs_folder() / FIRST_RUN_SWEEP).glob("*/metrics.csv")
    rows = [row for path in paths if path.stat().st_mtime >= started for row in MetricsFile(path).rows()]
    if not rows:
        return FirstRunProgress(0.0, f"starting PyTorch: {time.time() - started:.0f} s")
    step = rows[-1]["step"]
    description = f"step {step} of at most {FIRST_RUN_STEPS}"
    perplexities = [row["val/perplexity"] for row in rows if row["epoch"] and "val/perplexity" in row]
    if perplexities:
        count = f"{min(perplexities):.0f} characters"
        description += f"; in poems that it has not read it hesitates between {count}, on average"
    return FirstRunProgress(step / FIRST_RUN_STEPS, description)
