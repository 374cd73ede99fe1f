"""When training ends: after so many steps, when the task is solved, or when it is hopeless."""

import math
from typing import Any

import pytorch_lightning as L

from tangsweep.metrics import Metric
from tangsweep.training.callbacks.metrics import Evaluation

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
