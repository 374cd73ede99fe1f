"""How many optimizer steps a run may take."""

import math
from typing import Any

import pytorch_lightning as L


class StepBudget(L.Callback):
    """Ends training after `max_steps`, in mid-epoch where that is so; None: the epochs decide.

    Lightning's own `max_steps` is not used: with it a checkpoint of an epoch's end is taken up as one of
    mid-epoch, and the epochs after it are shifted.
    """

    def __init__(self, max_steps: int | None, max_epochs: int | None, an_epoch: int) -> None:
        self.max_steps = max_steps
        self._by_epochs = math.inf if max_epochs is None else max_epochs * an_epoch

    @property
    def total(self) -> float:
        """Steps of the whole run if nothing stops it early; an epoch has `an_epoch`."""
        return self._by_epochs if self.max_steps is None else min(self._by_epochs, self.max_steps)

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        self._look(trainer)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        self._look(trainer)

    def _look(self, trainer: L.Trainer) -> None:
        if self.max_steps is not None and trainer.global_step >= self.max_steps:
            trainer.should_stop = True
