"""What a run's bar is told: steps as they are made, the development set's score as it is found."""

from typing import Any

import pytorch_lightning as L

from tangsweep import progress_bar
from tangsweep.console import format_score
from tangsweep.training.budget import StepBudget


class ProgressCallback(L.Callback):
    """Steps done of all steps, with the epoch and the development set's `metric` so far."""

    def __init__(self, name: str, metric: str, budget: StepBudget) -> None:
        self._bar, self._metric, self._budget = progress_bar.progress_bar_for(name), metric, budget

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._bar.start(self._budget.total, trainer.global_step)

    def on_before_optimizer_step(self, trainer: L.Trainer, module: L.LightningModule, optimizer: Any) -> None:
        self._bar.step(trainer.global_step)

    def evaluated(self, row: Any) -> None:
        """A sink of History: what the bar says beside itself."""
        if "val/loss" in row:
            scores = {key.removeprefix("val/"): row[key] for key in row if key.startswith("val/")}
            self._bar.state(f"epoch {row['epoch']}  dev {format_score(self._metric, scores)}")

    def close(self) -> None:
        """Take the bar off the screen, however the run ended."""
        self._bar.close()
