"""The callbacks of every run beside metrics: when training ends, checkpoints, the progress bar."""

import io
import math
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tangsweep.checkpoint import CheckpointContent, read_checkpoint
from tangsweep.console import format_score
from tangsweep.files import atomic_write
from tangsweep.metrics import Metric
from tangsweep.progress_bar import progress_bar_for
from tangsweep.runs.checkpoint_rows import METRICS_TEXT
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile, MetricsRow
from tangsweep.training.metrics_callback import Evaluation, MetricsCallback
from tangsweep.training.scored_module import ScoredModule
from tangsweep.training.weight_average import WeightAverage

SOLVED_EVALUATIONS = 2  # so many evaluations in a row must reach the score


class StepBudget(L.Callback):
    """Ends training after `max_steps` optimizer steps, in mid-epoch if need be; None: the epochs decide.

    Lightning's own `max_steps` is not used: with it a checkpoint of an epoch's end is restored as one of
    mid-epoch, and the epochs after it are shifted.
    """

    def __init__(self, max_steps: int | None, max_epochs: int | None, steps_per_epoch: int) -> None:
        self.max_steps = max_steps
        self._steps_of_all_epochs = math.inf if max_epochs is None else max_epochs * steps_per_epoch

    @property
    def total(self) -> float:
        """Steps of the whole run if nothing stops it early."""
        epochs = self._steps_of_all_epochs
        return epochs if self.max_steps is None else min(epochs, self.max_steps)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_at_the_end(trainer)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self._stop_at_the_end(trainer)

    def _stop_at_the_end(self, trainer: L.Trainer) -> None:
        if self.max_steps is not None and trainer.global_step >= self.max_steps:
            trainer.should_stop = True


class StopWhenSolved(L.Callback):
    """Stops a run that has solved its task, and one that is hopeless half-way.

    Solved: the development score reaches `solved` twice in a row. Hopeless: it is worse than `hopeless` at
    the first evaluation after half of all steps. None: never.
    """

    def __init__(
        self, metric: Metric, solved: float | None, hopeless: float | None, budget: StepBudget
    ) -> None:
        self.metric, self.solved, self.hopeless, self.budget = metric, solved, hopeless, budget
        self.since: int | None = None  # the step of the first evaluation of those in a row
        self.streak = 0
        self.halfway = False
        self.ended: str | None = None  # solved or hopeless

    @property
    def solved_step(self) -> int | None:
        """The step from which the score was reached; None where the task was not solved."""
        return self.since if self.ended == "solved" else None

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None:
        value, step = getattr(evaluation.dev, self.metric.name), evaluation.step
        if self.solved is not None:
            self._count(self.metric.reaches(value, self.solved), step)
        if not self.halfway and step >= self.budget.total / 2:
            self.halfway = True
            if self.hopeless is not None and self.metric.better(self.hopeless, value):
                self.ended = "hopeless"
        trainer.should_stop = trainer.should_stop or self.ended is not None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train nothing where a run is continued after it ended."""
        trainer.should_stop = trainer.should_stop or self.ended is not None

    def _count(self, reached: bool, step: int) -> None:
        self.streak = self.streak + 1 if reached else 0
        if self.streak == 1:
            self.since = step
        if self.streak == SOLVED_EVALUATIONS:
            self.ended = "solved"

    @property
    def state_key(self) -> str:
        """The name in checkpoints: the class's first one, so that runs stopped before a renaming go on."""
        return "Goal"

    def state_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("since", "streak", "halfway", "ended")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for key, value in state_dict.items():
            setattr(self, key, value)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes Lightning's checkpoints through `atomic_write`: an interruption never leaves half a file.

    A thread writes them, one after another, while training goes on: flushing a file to disk takes as long as
    some ten short steps. A kill loses no more for it: the epoch whose checkpoint is being written, and the
    steps since. Reads them through `read_checkpoint`, which compares their checksums.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None  # the last write

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write what the checkpoint holds now. Raises UserError where the write before this one failed."""
        self._wait()
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        self._written = self._thread.submit(atomic_write, Path(path), buffer.getvalue())

    def teardown(self) -> None:
        """Wait for the last write; Lightning calls this when training ends. Raises UserError if it failed."""
        try:
            self._wait()
        finally:
            self._thread.shutdown()

    def _wait(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> CheckpointContent:
        """Return the content, always on the CPU and without running any of it. Raises UserError."""
        return read_checkpoint(Path(path))


class Checkpoints(L.Callback):
    """Saves last.ckpt after every epoch, and the scored weights as best.ckpt where the score improved.

    last.ckpt holds the text of metrics.csv too: one atomic write secures both, so that metrics.csv need not
    be flushed to disk after each epoch, and holes in it can be filled. Stops training after `patience` epochs
    without an improvement (None: never).
    """

    def __init__(
        self,
        folder: RunFolder,
        metric: Metric,
        patience: int | None,
        metrics_file: MetricsFile,
        average: WeightAverage,
    ) -> None:
        self.folder, self.metric, self.patience = folder, metric, patience
        self.metrics_file, self.average = metrics_file, average
        self.best = math.inf  # the best score's sort key: less is better
        self.best_epoch = 0
        self.stopped = False  # by patience

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None:
        value = self.metric.sort_key(getattr(evaluation.dev, self.metric.name))
        if value < self.best or not self.best_epoch:
            self.best, self.best_epoch = value, evaluation.epoch
            module = trainer.lightning_module
            assert isinstance(module, ScoredModule)
            with self.average.applied_to(module.model):
                trainer.save_checkpoint(self.folder.best, weights_only=True)
        elif self.patience is not None and evaluation.epoch - self.best_epoch >= self.patience:
            self.stopped = trainer.should_stop = True
        trainer.save_checkpoint(self.folder.last)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: CheckpointContent
    ) -> None:
        """Add the rows so far. Lightning does not call this for best.ckpt, which holds weights alone."""
        checkpoint[METRICS_TEXT] = self.metrics_file.text

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train nothing where a run is continued after its last epoch."""
        trainer.should_stop = trainer.should_stop or self.stopped

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)


class ProgressCallback(L.Callback):
    """Shows steps done of all steps, with the epoch and the development set's score so far."""

    def __init__(self, name: str, metric: Metric, budget: StepBudget) -> None:
        self._bar, self._metric, self._budget = progress_bar_for(name), metric, budget

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._bar.start(self._budget.total, trainer.global_step)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        self._bar.step(trainer.global_step)

    def show_evaluation(self, row: MetricsRow) -> None:
        """A sink of MetricsCallback: say the epoch and the score beside the bar."""
        if "val/loss" in row:
            scores = {key.removeprefix("val/"): row[key] for key in row if key.startswith("val/")}
            self._bar.show_status(f"epoch {row['epoch']}  dev {format_score(self._metric.name, scores)}")

    def close(self) -> None:
        """Take the bar off the screen, however the run ended."""
        self._bar.close()


class RunCallbacks(NamedTuple):
    """The callbacks of every run."""

    metrics: MetricsCallback
    budget: StepBudget
    solved: StopWhenSolved
    average: WeightAverage
    checkpoints: Checkpoints
    progress: ProgressCallback
