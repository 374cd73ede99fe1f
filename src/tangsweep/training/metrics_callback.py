"""What a run writes while it trains: rows of metrics.csv, and the end of a run that diverged."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as L
import torch

from tangsweep.evaluation.scores import evaluate
from tangsweep.metrics import Tally

MetricsRow = Mapping[str, Any]


class Diverged(Exception):
    """The loss became NaN or infinite: a result, not a crash."""

    def __init__(self, step: int, last_finite_loss: float | None) -> None:
        super().__init__(f"loss no longer finite at step {step}")
        self.step = step  # the optimizer step, from 1, whose loss was not finite
        self.last_finite_loss = last_finite_loss  # nats per character, None where there was none


class MetricsCallback(L.Callback):
    """After the first step, every `every` steps and after every evaluation a row, given to each of `sinks`.

    Losses stay tensors between rows, so that no step waits for the device; they are therefore
    checked for NaN and infinity once a row.
    """

    def __init__(self, every: int, sinks: list[Callable[[MetricsRow], None]]) -> None:
        self.every, self.sinks = every, sinks
        self.elapsed = 0.0  # from the start of training to the last evaluation, over all attempts
        self.seconds = 0.0  # spent in training epochs, without evaluation
        self.characters = 0
        self._started: float | None = None  # when this attempt would have started, had it been the only one
        self._epoch_started: float | None = None
        self._lr = math.nan
        self._pending: list[dict[str, Any]] = []
        self._grad_norm = torch.zeros(())
        self._epoch = Tally()
        self._last_finite: float | None = None

    @property
    def characters_per_second(self) -> float | None:
        """Trained on so far, without the time for evaluation; None before the first epoch's end."""
        return round(self.characters / self.seconds, 1) if self.seconds else None

    @property
    def so_far(self) -> float:
        """Seconds of training until now, over all attempts."""
        return self.elapsed if self._started is None else round(time.perf_counter() - self._started, 3)

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        self._started = time.perf_counter() - self.elapsed
        if trainer.global_step == 0:
            self._evaluate(trainer, module, {"step": 0, "epoch": 0})

    def on_train_epoch_start(self, trainer: L.Trainer, module: Any) -> None:
        self._epoch_started = time.perf_counter()

    def on_exception(self, trainer: L.Trainer, module: Any, exception: BaseException) -> None:
        self._leave_epoch()

    def state_dict(self) -> dict[str, Any]:
        """At an epoch's end, where nothing is pending."""
        kept = ("elapsed", "seconds", "characters", "_last_finite")
        return {name: getattr(self, name) for name in kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def _leave_epoch(self) -> None:
        if self._epoch_started is not None:
            self.seconds += time.perf_counter() - self._epoch_started
            self._epoch_started = None

    def on_train_batch_end(
        self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        self._pending += outputs["steps"]
        self._lr, self._grad_norm = outputs["lr"], outputs["grad_norm"]
        if self._looks(trainer):
            self._write(self._steps_row(trainer))

    def _looks(self, trainer: L.Trainer) -> bool:
        """The first step tells how large gradients are at the start."""
        return trainer.global_step == 1 or trainer.global_step % self.every == 0

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        row = self._steps_row(trainer) if self._pending else self._row(trainer)
        self._leave_epoch()
        row["train/epoch_loss"] = self._epoch.loss
        row["characters_per_second"] = self.characters_per_second
        self._epoch = Tally()
        self._evaluate(trainer, module, row)

    def _steps_row(self, trainer: L.Trainer) -> dict[str, Any]:
        """The steps since the last row, as a row. Raises Diverged."""
        losses, nats = (torch.stack([s[key] for s in self._pending]).tolist() for key in ("loss", "nats"))
        characters = [s["characters"] for s in self._pending]
        first = trainer.global_step - len(losses) + 1
        self._pending = []
        for step, loss in enumerate(losses, start=first):
            if not math.isfinite(loss):
                raise Diverged(step, self._last_finite)
            self._last_finite = loss
        since = Tally(nats=sum(nats), characters=sum(characters))
        self._epoch = self._epoch + since
        self.characters += since.characters
        return self._row(trainer) | {
            "train/loss": since.loss,
            "train/grad_norm": self._grad_norm.item() if self._looks(trainer) else None,
            "lr": self._lr,
        }

    def _row(self, trainer: L.Trainer) -> dict[str, Any]:
        return {"step": trainer.global_step, "epoch": trainer.current_epoch + 1, "seconds": self.so_far}

    def _evaluate(self, trainer: L.Trainer, module: Any, row: dict[str, Any]) -> None:
        """The development set's scores into `module.dev` and, with `row`, to the sinks."""
        batches = trainer.datamodule.data.dev_batches()  # type: ignore[attr-defined]
        module.dev = dev = evaluate(module.model, batches, module.pad)
        self.elapsed = self.so_far
        row |= {
            "val/loss": dev.loss,
            "val/bits_per_character": dev.loss / math.log(2),
            "val/perplexity": dev.perplexity,
            "val/accuracy": dev.accuracy,
            "units/distinct": module.model.distinct_units(),
            "seconds": self.elapsed,
        }
        self._write(row)
        if not math.isfinite(dev.loss):
            raise Diverged(row["step"], self._last_finite)

    def _write(self, row: MetricsRow) -> None:
        for sink in self.sinks:
            sink(row)
