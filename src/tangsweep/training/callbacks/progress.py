"""A run's progress bar: steps as they are made, the development score after each evaluation."""

import pytorch_lightning as L
from torch.optim import Optimizer

from tangsweep.console import format_score
from tangsweep.metrics import Metric
from tangsweep.progress_bar import progress_bar_for
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.training.callbacks.stopping import StepBudget


class ProgressCallback(L.Callback):
    """Shows steps done of all steps, with the epoch and the development set's score so far."""

    def __init__(self, name: str, metric: Metric, budget: StepBudget) -> None:
        self._bar, self._metric, self._budget = progress_bar_for(name), metric, budget

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._bar.start(self._budget.total, trainer.global_step)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
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
