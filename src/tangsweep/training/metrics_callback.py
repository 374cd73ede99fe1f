"""Evaluates after every epoch, and gives rows of metrics to metrics.csv, the progress bar and a mirror."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import pytorch_lightning as L
import torch
from torch import nn

from tangsweep.batches.batch import RunBatches
from tangsweep.evaluation.scores import evaluate
from tangsweep.metrics import Tally
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.training.scored_module import ScoredModule
from tangsweep.training.step_groups import TrainedStep, has_row


class Diverged(Exception):
    """The loss became NaN or infinite: a result, not a crash."""

    def __init__(self, step: int, last_finite_loss: float | None) -> None:
        super().__init__(f"loss no longer finite at step {step}")
        self.step = step  # the optimizer step, from 1, whose loss was not finite
        self.last_finite_loss = last_finite_loss  # nats per character, None where there was none


class Evaluation(NamedTuple):
    """The development set's sums at the end of an epoch."""

    epoch: int  # from 1
    step: int  # optimizer steps made
    dev: Tally


class EvaluationObserver(Protocol):
    """Acts on every evaluation: early stopping, checkpoints."""

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None: ...


class AveragedWeights(Protocol):
    """Puts averaged weights into a model, for as long as a block lasts."""

    def applied_to(self, model: nn.Module) -> AbstractContextManager[None]: ...


class MetricsCallback(L.Callback):
    """Writes a row after the first step, every `every` steps and after every evaluation, to each of `sinks`.

    At the end of an epoch it evaluates the development set, with the weights that `average` has, and hands
    the result to each of `observers`, in their order. Losses stay tensors between rows, so that no step waits
    for the device; they are therefore checked for NaN and infinity once a row.
    """

    def __init__(
        self,
        batches: RunBatches,
        every: int,
        sinks: Sequence[Callable[[MetricsRow], None]],
        observers: Sequence[EvaluationObserver],
        average: AveragedWeights,
    ) -> None:
        self.batches, self.every, self.sinks, self.observers = batches, every, sinks, observers
        self.average = average
        self.elapsed = 0.0  # seconds from the start of training to the last evaluation, over all attempts
        self.seconds = 0.0  # spent in training epochs, without evaluation
        self.characters = 0
        self._started: float | None = None  # when this attempt would have started, had it been the only one
        self._epoch_started: float | None = None
        self._pending: list[TrainedStep] = []
        self._epoch = Tally()
        self._last_finite: float | None = None

    @property
    def characters_per_second(self) -> float | None:
        """Characters trained on per second, without evaluations; None before an epoch has ended."""
        return round(self.characters / self.seconds, 1) if self.seconds else None

    @property
    def seconds_so_far(self) -> float:
        """Seconds of training until now, over all attempts."""
        return self._seconds_until(None)

    def _seconds_until(self, now: float | None) -> float:
        """Return the seconds of training until `now`, a time of perf_counter; None: until this call."""
        if self._started is None:
            return self.elapsed
        return round((time.perf_counter() if now is None else now) - self._started, 3)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._started = time.perf_counter() - self.elapsed
        if trainer.global_step == 0:
            self._evaluate(pl_module, {"step": 0, "epoch": 0})

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._epoch_started = time.perf_counter()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        self._end_epoch_time()

    @property
    def state_key(self) -> str:
        """The name in checkpoints: the class's first one, so that runs stopped before a renaming go on."""
        return "History"

    def state_dict(self) -> dict[str, Any]:
        """Return the state at an epoch's end, where nothing is pending."""
        names = ("elapsed", "seconds", "characters", "_last_finite")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def _end_epoch_time(self) -> None:
        if self._epoch_started is not None:
            self.seconds += time.perf_counter() - self._epoch_started
            self._epoch_started = None

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        steps: list[TrainedStep] = outputs["steps"]
        for number, step in enumerate(steps, start=trainer.global_step - len(steps) + 1):
            self._pending.append(step)
            if has_row(number, self.every):
                self._write(self._steps_row(trainer, number))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        step = trainer.global_step
        row = self._steps_row(trainer, step) if self._pending else self._row(trainer, step)
        self._end_epoch_time()
        row["train/epoch_loss"] = self._epoch.loss
        row["characters_per_second"] = self.characters_per_second
        self._epoch = Tally()
        dev = self._evaluate(pl_module, row)
        evaluation = Evaluation(trainer.current_epoch + 1, trainer.global_step, dev)
        for observer in self.observers:
            observer.on_evaluation_end(trainer, evaluation)

    def _steps_row(self, trainer: L.Trainer, last: int) -> dict[str, float | int | None]:
        """Return the steps since the last row, up to step `last`, as a row. Raises Diverged."""
        steps, self._pending = self._pending, []
        outputs = [step["output"] for step in steps]
        losses = torch.stack([output["loss"] for output in outputs]).tolist()
        nats = torch.stack([output["nats"] for output in outputs]).tolist()
        characters = [output["characters"] for output in outputs]
        for step, loss in enumerate(losses, start=last - len(losses) + 1):
            if not math.isfinite(loss):
                raise Diverged(step, self._last_finite)
            self._last_finite = loss
        since = Tally(nats=sum(nats), characters=sum(characters))
        self._epoch = self._epoch + since
        self.characters += since.characters
        norm = steps[-1]["grad_norm"]
        return self._row(trainer, last, steps[-1]["time"]) | {
            "train/loss": since.loss,
            "train/grad_norm": None if norm is None else norm.item(),
            "lr": steps[-1]["lr"],
        }

    def _row(self, trainer: L.Trainer, step: int, now: float | None = None) -> dict[str, float | int | None]:
        return {"step": step, "epoch": trainer.current_epoch + 1, "seconds": self._seconds_until(now)}

    def _evaluate(self, pl_module: L.LightningModule, row: Mapping[str, float | int | None]) -> Tally:
        """Evaluate the development set and write `row` with its scores. Raises Diverged."""
        assert isinstance(pl_module, ScoredModule)
        with self.average.applied_to(pl_module.model):
            dev = evaluate(pl_module.model, self.batches.dev_batches(), pl_module.pad_id, pl_module.oov_id)
            distinct_units = pl_module.model.distinct_units()
        self.elapsed = self.seconds_so_far
        self._write(
            {
                **row,
                **{f"val/{name}": value for name, value in dev.headline_scores().items()},
                "units/distinct": distinct_units,
                "seconds": self.elapsed,
            }
        )
        if not math.isfinite(dev.loss):
            raise Diverged(int(row["step"] or 0), self._last_finite)
        return dev

    def _write(self, row: MetricsRow) -> None:
        for sink in self.sinks:
            sink(row)
