"""Continues a stopped run from its last checkpoint: checks what it left, and restores what was lost of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from tangsweep.checkpoint import CheckpointContent, DamagedCheckpoint, read_checkpoint
from tangsweep.console import print_line
from tangsweep.files import atomic_write
from tangsweep.runs.checkpoint_rows import METRICS_TEXT
from tangsweep.runs.folder import RunFolder, set_file_aside
from tangsweep.runs.metrics_file import (
    FilledRow,
    MetricsFile,
    evaluated_losses,
    format_metrics,
    parse_metrics,
)
from tangsweep.runs.record_file import read_record
from tangsweep.training.callbacks import AtomicCheckpointIO
from tangsweep.training.module import CHECKPOINT_FORMAT
from tangsweep.training.weight_average import AVERAGED_WEIGHTS, WeightAverage

NOT_IN_BEST = ("callbacks", "optimizer_states", "lr_schedulers", METRICS_TEXT)  # parts of last.ckpt alone


class ResumePoint(NamedTuple):
    """Where training starts: without a checkpoint, at the beginning."""

    checkpoint: Path | None = None
    rows: Sequence[FilledRow] = ()  # of metrics.csv up to the checkpoint


class StartAnew(Exception):
    """A run cannot go on from its checkpoints and end with the same bits; the text says why."""


class LastCheckpoint(NamedTuple):
    """The content of last.ckpt; `best_problem` says why best.ckpt must be written again from it."""

    content: CheckpointContent
    best_problem: str  # empty where best.ckpt is as it should be

    @property
    def rows_text(self) -> str | None:
        """The text of metrics.csv at this checkpoint; None in one of a version that did not store it."""
        return self.content.get(METRICS_TEXT)


def prepare_folder(folder: RunFolder) -> ResumePoint:
    """Bring the folder of a run that has not ended to where its next attempt starts.

    metrics.csv becomes what it was at the last checkpoint, a lost best.ckpt is written again where last.ckpt
    has its weights, and a record of failure is kept under another name. The caller holds the run's lock.
    Raises StartAnew, with nothing changed, where the run has lost what it needs.
    """
    folder.prepare()
    if folder.result.exists() and read_record(folder) is None:
        print_line(
            f"{folder.path.name}: result.json was changed since it was written, or is no record; it does not "
            "count, and the run ends again from what else it left"
        )
    last = check_checkpoints(folder)
    if folder.result.exists():  # failed, cut in half or changed
        number = len(list(folder.path.glob("result.*.json"))) + 1
        folder.result.rename(folder.path / f"result.{number}.json")
    for marker in (folder.interrupted, folder.paused):
        marker.unlink(missing_ok=True)
    if last is None:
        for path in (folder.metrics, folder.samples, folder.extended, folder.best):
            path.unlink(missing_ok=True)
        return ResumePoint()
    if last.best_problem:
        _write_best_again(folder, last)
    rows = _restore_rows(folder, last)
    print_line(f"{folder.path.name} goes on from step {last.content['global_step']:,}")
    return ResumePoint(folder.last, rows)


def check_checkpoints(folder: RunFolder) -> LastCheckpoint | None:
    """Read both checkpoints of a run; None where it has not come to its first one.

    Raises StartAnew where last.ckpt is lost, or best.ckpt and last.ckpt is of another epoch.
    """
    if not folder.last.exists():
        if _is_last_lost(folder):
            raise StartAnew("last.ckpt is missing")
        return None
    try:
        content = read_checkpoint(folder.last)
        if content.get("tangsweep_format") != CHECKPOINT_FORMAT:
            raise StartAnew("last.ckpt was made by another version")
        epoch, best_epoch = content["epoch"] + 1, content["callbacks"]["Checkpoints"]["best_epoch"]
    except (DamagedCheckpoint, KeyError, TypeError) as error:
        raise StartAnew(f"last.ckpt is damaged ({_reason(error)})") from None
    best_problem = _find_problem_of_best(folder, best_epoch, epoch)
    if best_problem and epoch != best_epoch:
        raise StartAnew(best_problem)
    return LastCheckpoint(content, best_problem)


def _is_last_lost(folder: RunFolder) -> bool:
    """Whether a run without last.ckpt had one: it has files of later epochs, and did not copy them."""
    if folder.extended.exists():
        return False
    epochs = (row["epoch"] for row in MetricsFile(folder.metrics).rows())
    return max(epochs, default=0) > 1 or (folder.best.exists() and bool(_find_problem_of_best(folder, 1, 0)))


def _find_problem_of_best(folder: RunFolder, best_epoch: int, last_epoch: int) -> str:
    """Return why best.ckpt does not have the weights of `best_epoch`; an empty string where it has them."""
    if not folder.best.exists():
        return "best.ckpt is missing"
    try:
        epoch = read_checkpoint(folder.best)["epoch"] + 1
    except (DamagedCheckpoint, KeyError, TypeError) as error:
        return f"best.ckpt is damaged ({_reason(error)})"
    # A run that was killed between the two writes repeats the epoch after last.ckpt's, of which best.ckpt is.
    is_usable = epoch in (best_epoch, last_epoch + 1)
    return "" if is_usable else f"best.ckpt is of epoch {epoch}, and epoch {best_epoch} was the best one"


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, DamagedCheckpoint) else f"it lacks {error}"


def _write_best_again(folder: RunFolder, last: LastCheckpoint) -> None:
    if folder.best.exists():
        set_file_aside(folder.best)
    weights = {key: value for key, value in last.content.items() if key not in NOT_IN_BEST}
    averaged = last.content["callbacks"].get(WeightAverage.__qualname__, {}).get(AVERAGED_WEIGHTS, {})
    weights["state_dict"] = _with_averages(weights["state_dict"], averaged)
    writer = AtomicCheckpointIO()
    writer.save_checkpoint(weights, folder.best)
    writer.teardown()
    print_line(
        f"{folder.path.name}: {last.best_problem}; it is written again from last.ckpt, "
        "which is of the same epoch"
    )


def _with_averages(state: Mapping[str, Tensor], averaged: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the averaged weights under every name of the weights in `state`; a tied matrix has two."""
    average_at = {state[f"model.{name}"].data_ptr(): average for name, average in averaged.items()}
    return {name: average_at.get(weight.data_ptr(), weight) for name, weight in state.items()}


def _restore_rows(folder: RunFolder, last: LastCheckpoint) -> list[FilledRow]:
    """Bring metrics.csv to the last checkpoint, and return its rows."""
    if last.rows_text is not None:
        restore_metrics(folder, last.rows_text)
        return parse_metrics(last.rows_text).rows
    rows, unreadable = parse_metrics(MetricsFile(folder.metrics).text)
    rows = [row for row in rows if row["step"] <= last.content["global_step"]]
    if unreadable:
        set_file_aside(folder.metrics)
    atomic_write(folder.metrics, format_metrics(rows))
    lost = sorted(set(range(1, last.content["epoch"] + 2)) - evaluated_losses(rows).keys())
    if unreadable or lost:
        epochs = f", among them the evaluations of the epochs {', '.join(map(str, lost))}" if lost else ""
        print_line(
            f"{folder.path.name}: metrics.csv has lost rows{epochs}; "
            "last.ckpt was made by a version that did not store them"
        )
    return rows


def restore_metrics(folder: RunFolder, text: str) -> None:
    """Make `text` the content of metrics.csv, and say so where anybody else has changed the file."""
    if MetricsFile(folder.metrics).restore(text):
        print_line(f"{folder.path.name}: metrics.csv was damaged, and has all of its rows again")
