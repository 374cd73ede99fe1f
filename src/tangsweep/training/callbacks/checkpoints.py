"""best.ckpt and last.ckpt, each whole or not at all, loadable with weights_only=True."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as L
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tangsweep.files import atomic_write
from tangsweep.metrics import Metric
from tangsweep.runs.folder import RunFolder
from tangsweep.training.callbacks.metrics import Evaluation


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes Lightning's checkpoint files through the project's `atomic_write`."""

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getvalue())


class Checkpoints(L.Callback):
    """Saves last.ckpt after every epoch, and best.ckpt (weights alone) where the score improved.

    Stops training after `patience` epochs without an improvement (None: never).
    """

    def __init__(self, folder: RunFolder, metric: Metric, patience: int | None) -> None:
        self.folder, self.metric, self.patience = folder, metric, patience
        self.best = math.inf  # the best score's sort key: less is better
        self.best_epoch = 0
        self.stopped = False  # by patience

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None:
        value = self.metric.sort_key(getattr(evaluation.dev, self.metric.name))
        if value < self.best or not self.best_epoch:
            self.best, self.best_epoch = value, evaluation.epoch
            trainer.save_checkpoint(self.folder.best, weights_only=True)
        elif self.patience is not None and evaluation.epoch - self.best_epoch >= self.patience:
            self.stopped = trainer.should_stop = True
        trainer.save_checkpoint(self.folder.last)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train nothing where a run is continued after its last epoch."""
        trainer.should_stop = trainer.should_stop or self.stopped

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)
