"""When a run has reached what it was for, or never will."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as L

from tangsweep.training.budget import StepBudget

AGAIN = 2  # so many evaluations in a row must reach the mark


class StopWhenSolved(L.Callback):
    """Stops a run that has solved its task; with `give_up` also one that is hopeless half-way.

    `primary` is the corpus's metric: solved where it reaches `primary["solved"]` twice in a row, hopeless
    where at the first evaluation after half of all steps it is worse than `primary["hopeless"]`.
    """

    def __init__(self, primary: Mapping[str, Any], give_up: bool, budget: StepBudget) -> None:
        self.budget = budget
        self.sign = 1.0 if primary["mode"] == "max" else -1.0
        self.mark = primary.get("solved")
        self.hopeless = primary.get("hopeless") if give_up else None
        self.since: int | None = None  # the step of the first evaluation of those in a row
        self.streak = 0
        self.halfway = False
        self.ended: str | None = None  # solved or hopeless

    @property
    def solved_step(self) -> int | None:
        """The step from which the mark was held; None where the task was not solved."""
        return self.since if self.ended == "solved" else None

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        value, step = module.primary_value, trainer.global_step
        if self.mark is not None:
            self._count(self.sign * value >= self.sign * self.mark, step)
        if not self.halfway and step >= self.budget.total / 2:
            self.halfway = True
            if self.hopeless is not None and self.sign * value < self.sign * self.hopeless:
                self.ended = "hopeless"
        trainer.should_stop = trainer.should_stop or self.ended is not None

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        """A run that was continued after it ended has nothing left to train."""
        trainer.should_stop = trainer.should_stop or self.ended is not None

    def _count(self, reached: bool, step: int) -> None:
        self.streak = self.streak + 1 if reached else 0
        if self.streak == 1:
            self.since = step
        if self.streak == AGAIN:
            self.ended = "solved"

    def state_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("since", "streak", "halfway", "ended")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for key, value in state_dict.items():
            setattr(self, key, value)
