"""The LightningModule: what a training step is. It knows neither the task nor the cell."""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as L
import torch

from tangsweep.batches.batch import Batch
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.metrics import Tally
from tangsweep.randomness import derive


class Training(L.LightningModule):
    """Loss in nats per scored position; dropout of a step drawn from (seed, step).

    `described` are plain values that a checkpoint carries so that the model can be rebuilt from it.
    """

    def __init__(
        self,
        model: LanguageModel,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        scheduler: Callable[[torch.optim.Optimizer], Any] | None,
        seed: int,
        pad: int | None,
        primary: str,
        described: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.seed, self.pad, self.primary = seed, pad, primary
        self._optimizer, self._scheduler, self._described = optimizer, scheduler, dict(described)
        self.dev = Tally()
        self._left: Carry | None = None  # what the batch before left

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer(self.model.parameter_groups())
        if self._scheduler is None:
            return optimizer
        return [optimizer], [self._scheduler(optimizer)]

    def training_step(self, batch: Batch, index: int) -> dict[str, Any]:
        self._seed_dropout()
        if batch.carry and self._left is None:
            raise RuntimeError("the batch goes on from a state that no batch before left")
        carry = self._left if batch.carry else None
        scored, left = self.model.loss(batch.inputs, batch.targets, batch.times, carry)
        self._left = left.detached()
        text = scored.nats if self.pad is None else scored.nats[scored.targets != self.pad]
        # Padding is no text, even where it is trained on.
        return {"loss": scored.mean, "nats": text.sum(), "characters": len(text)}

    def _seed_dropout(self) -> None:
        """The generator that is drawn from alone: torch.manual_seed looks for every device's, in 0.15 ms."""
        seed = derive(self.seed, "dropout", self.global_step)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    @property
    def primary_value(self) -> float:
        """The metric that the corpus calls primary, on the development set when last evaluated."""
        return getattr(self.dev, self.primary)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["tangsweep"] = self._described
        if self._left is not None:
            checkpoint["tangsweep_carry"] = [[list(state) for state in self._left.states], self._left.steps]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "tangsweep_carry" in checkpoint:
            tensors, steps = checkpoint["tangsweep_carry"]
            kinds = [type(cell.initial_state(1)) for cell in self.model.cells]
            self._left = Carry([kind(*state) for kind, state in zip(kinds, tensors, strict=True)], steps)
