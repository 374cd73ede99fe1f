"""Pauses a run at the end of an epoch, so that a search may take it up again or leave it."""

import pytorch_lightning as L

from tangsweep.training.metrics_callback import Evaluation


class PauseAtEpoch(L.Callback):
    """Stops training at the end of epoch `epoch`, unless training ends there anyway; None: never.

    It acts after the last checkpoint of that epoch was saved, and leaves no trace in it: a run that was
    paused goes on with the same bits as one that was not.
    """

    def __init__(self, epoch: int | None) -> None:
        self.epoch = epoch
        self.paused = False

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None:
        self._pause_after(trainer, evaluation.epoch)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train nothing where a run is continued from a checkpoint at or after the epoch."""
        self._pause_after(trainer, trainer.current_epoch)

    def _pause_after(self, trainer: L.Trainer, epoch: int) -> None:
        is_last = trainer.should_stop or epoch == trainer.max_epochs
        if self.epoch is not None and epoch >= self.epoch and not is_last:
            self.paused = trainer.should_stop = True
