"""One bar for the run, redrawn by time, never by step; nothing where the output is no terminal."""

from typing import Any

import pytorch_lightning as L
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tangsweep.console import score
from tangsweep.training.budget import Budget

REDRAWS_PER_SECOND = 4


class ProgressBar(L.Callback):
    """Steps done of all steps, with the epoch and the development set's `metric` so far."""

    def __init__(self, name: str, metric: str, budget: Budget, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
            disable=not console.is_terminal,
        )
        self._name, self._metric, self._budget = name, metric, budget
        self._task: TaskID | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        steps = self._budget.total(trainer)
        self._task = self._bar.add_task(self._name, total=steps, state="")
        if not self._bar.disable:
            self._bar.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=trainer.global_step)

    def evaluated(self, row: Any) -> None:
        """A sink of History: what the bar says beside itself."""
        if self._task is not None and "val/loss" in row:
            scores = {key.removeprefix("val/"): row[key] for key in row if key.startswith("val/")}
            state = f"epoch {row['epoch']}  dev {score(self._metric, scores)}"
            self._bar.update(self._task, state=state)

    def close(self) -> None:
        """Take the bar off the screen, however the run ended."""
        if not self._bar.disable:
            self._bar.stop()
