"""best.ckpt and last.ckpt, each whole or not at all, loadable with weights_only=True."""

import io
import math
from typing import Any

import pytorch_lightning as L
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tangsweep.files import atomic_write
from tangsweep.runs.folder import RunFolder


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files through the project's `atomic_write`."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(path, buffer.getvalue())


class Checkpoints(L.Callback):
    """After every epoch `last.ckpt`, and `best.ckpt` (weights alone) where the metric improved.

    Stops training after `patience` epochs without an improvement (None: never).
    """

    def __init__(self, folder: RunFolder, mode: str, patience: int | None) -> None:
        self.folder, self.sign = folder, 1.0 if mode == "min" else -1.0
        self.patience = patience
        self.best = math.inf  # sign · primary metric
        self.best_epoch = 0
        self.stopped = False  # by patience

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        value, epoch = self.sign * module.primary_value, trainer.current_epoch + 1
        if value < self.best or not self.best_epoch:
            self.best, self.best_epoch = value, epoch
            trainer.save_checkpoint(self.folder.best, weights_only=True)
        elif self.patience is not None and epoch - self.best_epoch >= self.patience:
            self.stopped = trainer.should_stop = True
        trainer.save_checkpoint(self.folder.last)

    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        """A run that was continued after its last epoch has nothing left to train."""
        trainer.should_stop = trainer.should_stop or self.stopped

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)
