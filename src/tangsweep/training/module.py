"""The LightningModule: what a training step is. It knows neither the task nor the cell."""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as L
import torch

from tangsweep import fault_points
from tangsweep.batches.batch import Batch
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.metrics import Tally
from tangsweep.randomness import derive

FORMAT = 2  # of checkpoints; those of another are not gone on from


class LanguageModelModule(L.LightningModule):
    """Loss in nats per scored position; dropout of a step drawn from (seed, step).

    Lightning's batch is a lap of them (training/laps.py), and so optimization is "manual" in its words. The
    norm of a lap's last gradient is measured, before `clip` (2-norm of all gradients; None: no clipping).
    `described` are plain values that a checkpoint carries so that the model can be rebuilt from it.
    """

    automatic_optimization = False

    def __init__(
        self,
        model: LanguageModel,
        optimizer: Callable[[Any], torch.optim.Optimizer],
        scheduler: Callable[[torch.optim.Optimizer], Any] | None,
        seed: int,
        pad: int | None,
        primary: str,
        clip: float | None,
        described: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.seed, self.pad, self.primary, self.clip = seed, pad, primary, clip
        self._optimizer, self._scheduler, self._described = optimizer, scheduler, dict(described)
        self.dev = Tally()
        self._left: Carry | None = None  # what the batch before left
        self._ends_lap, self._norm = False, torch.zeros(())

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer(self.model.parameter_groups())
        if self._scheduler is None:
            return optimizer
        return [optimizer], [self._scheduler(optimizer)]

    def training_step(self, lap: list[Batch], index: int) -> dict[str, Any]:
        """One optimizer step a batch. `steps` is what `loss` found in each, without gradients."""
        optimizer: Any = self.optimizers()
        # Of 16-mixed alone; all else of Lightning's manual_backward are hooks that nobody here uses, 0.09 ms.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        steps, weights = [], list(self.parameters())
        for number, batch in enumerate(lap, 1):
            self._ends_lap = number == len(lap)
            found = self.loss(batch, self.global_step)
            for weight in weights:
                weight.grad = None  # Optimizer.zero_grad takes 0.04 ms for it
            with torch.autocast(self.device.type, enabled=False):
                (scaler.scale(found["loss"]) if scaler else found["loss"]).backward()
                lr = optimizer.param_groups[0]["lr"]
                optimizer.step()
            steps.append(found | {"loss": found["loss"].detach()})
            fault_points.fault_point("step")
        return {"steps": steps, "grad_norm": self._norm, "lr": lr}

    def loss(self, batch: Batch, step: int) -> dict[str, Any]:
        """`loss` is what training minimizes, `nats` and `characters` are of text: without padding."""
        self._seed_dropout(step)
        if batch.carry and self._left is None:
            raise RuntimeError("the batch goes on from a state that no batch before left")
        carry = self._left if batch.carry else None
        scored, left = self.model.loss(batch.inputs, batch.targets, batch.times, carry)
        self._left = left.detached()
        text = scored.nats if self.pad is None else scored.nats[scored.targets != self.pad]
        return {"loss": scored.mean, "nats": text.sum(), "characters": len(text)}

    def _seed_dropout(self, step: int) -> None:
        """Of the generator that is drawn from: torch.manual_seed asks every kind of device, in 0.15 ms."""
        seed = derive(self.seed, "dropout", step)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Gradients are whole here, and of their true size whatever the precision."""
        if self.clip is not None:
            self._norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.clip)
        elif self._ends_lap:
            self._norm = torch.nn.utils.get_total_norm(
                [p.grad for p in self.parameters() if p.grad is not None]
            )

    def on_train_epoch_start(self) -> None:
        """A schedule's step, one an epoch: here, so that a checkpoint of an epoch's end is before it."""
        if self._scheduler is not None and self.current_epoch > 0:
            schedule: Any = self.lr_schedulers()
            schedule.step()

    @property
    def primary_value(self) -> float:
        """The metric that the corpus calls primary, on the development set when last evaluated."""
        return getattr(self.dev, self.primary)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["tangsweep"], checkpoint["tangsweep_format"] = self._described, FORMAT
        if self._left is not None:
            checkpoint["tangsweep_carry"] = [[list(state) for state in self._left.states], self._left.steps]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "tangsweep_carry" in checkpoint:
            tensors, steps = checkpoint["tangsweep_carry"]
            kinds = [type(cell.initial_state(1)) for cell in self.model.cells]
            self._left = Carry([kind(*state) for kind, state in zip(kinds, tensors, strict=True)], steps)
