"""The LightningModule: one optimizer step after another on groups of batches."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import pytorch_lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tangsweep.batches.batch import Batch
from tangsweep.fault_points import fault_point
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.randomness import derive_seed

CHECKPOINT_FORMAT = 2  # training is not continued from checkpoints of another format

MakeOptimizer = Callable[[list[dict[str, Any]]], Optimizer]  # from groups of parameters
MakeScheduler = Callable[[Optimizer], LRScheduler]


class StepOutput(TypedDict):
    """The loss of one optimizer step; tensors have no gradient once the step is done."""

    loss: Tensor  # mean nats per scored position: what training minimizes
    nats: Tensor  # their sum over text, without padding
    characters: int  # scored positions that are text


class GroupOutput(TypedDict):
    """The losses of a group of optimizer steps, which is one batch for Lightning."""

    steps: list[StepOutput]
    grad_norm: Tensor  # 2-norm of all gradients of the last step, before clipping
    lr: float  # of the last step


class LanguageModelModule(L.LightningModule):
    """Trains a language model; it knows neither the task nor the cell.

    Lightning's batch is a group of batches here (training/step_groups.py), so optimization is manual in
    Lightning's words: its own work between two optimizer steps costs as much as a small model's step.
    Dropout of a step is drawn from (seed, step). `pad` is the target that is no text where padding is scored.
    `clip` bounds the 2-norm of all gradients (None: no clipping). `rebuild` holds plain values that a
    checkpoint carries so that the model can be rebuilt from it.
    """

    automatic_optimization = False

    def __init__(
        self,
        model: LanguageModel,
        make_optimizer: MakeOptimizer,
        make_scheduler: MakeScheduler | None,
        seed: int,
        pad: int | None,
        clip: float | None,
        rebuild: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.seed, self.pad, self.clip = seed, pad, clip
        self._make_optimizer, self._make_scheduler = make_optimizer, make_scheduler
        self._rebuild = dict(rebuild)
        self._carry: Carry | None = None  # the recurrent state after the batch before
        self._is_last_of_group, self._norm = False, torch.zeros(())

    def configure_optimizers(self) -> Any:
        optimizer = self._make_optimizer(self.model.parameter_groups())
        if self._make_scheduler is None:
            return optimizer
        return [optimizer], [self._make_scheduler(optimizer)]

    def training_step(self, group: list[Batch], batch_idx: int) -> GroupOutput:
        """Make one optimizer step a batch."""
        optimizer: Any = self.optimizers()
        # Only 16-mixed has a scaler; all else of Lightning's manual_backward are hooks nobody uses here,
        # 0.09 ms.
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        steps: list[StepOutput] = []
        weights = list(self.parameters())
        for number, batch in enumerate(group, 1):
            self._is_last_of_group = number == len(group)
            output = self.loss(batch, self.global_step)
            for weight in weights:
                weight.grad = None  # Optimizer.zero_grad takes 0.04 ms for it
            with torch.autocast(self.device.type, enabled=False):
                (scaler.scale(output["loss"]) if scaler else output["loss"]).backward()
                lr = optimizer.param_groups[0]["lr"]
                optimizer.step()
            steps.append({**output, "loss": output["loss"].detach()})
            fault_point("step")
        return {"steps": steps, "grad_norm": self._norm, "lr": lr}

    def loss(self, batch: Batch, step: int) -> StepOutput:
        """Return the loss of a batch. Raises RuntimeError where it continues a state that is not there."""
        self._seed_dropout(step)
        if batch.carry and self._carry is None:
            raise RuntimeError("the batch continues from the state of the batch before, and there was none")
        carry = self._carry if batch.carry else None
        output, carry = self.model.loss(batch.inputs, batch.targets, batch.times, carry)
        self._carry = carry.detached()
        text = output.nats if self.pad is None else output.nats[output.targets != self.pad]
        return {"loss": output.mean, "nats": text.sum(), "characters": len(text)}

    def _seed_dropout(self, step: int) -> None:
        """Seed dropout. On the CPU only its own generator is seeded: torch.manual_seed takes 0.15 ms."""
        seed = derive_seed(self.seed, "dropout", step)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip and measure gradients; they are whole here, and of their true size whatever the precision."""
        if self.clip is not None:
            self._norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.clip)
        elif self._is_last_of_group:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_epoch_start(self) -> None:
        """Step the schedule, once an epoch: here, so that a checkpoint of an epoch's end is before it."""
        if self._make_scheduler is not None and self.current_epoch > 0:
            scheduler: Any = self.lr_schedulers()
            scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["tangsweep"], checkpoint["tangsweep_format"] = self._rebuild, CHECKPOINT_FORMAT
        if self._carry is not None:
            states = [list(state) for state in self._carry.states]
            checkpoint["tangsweep_carry"] = [states, self._carry.steps]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "tangsweep_carry" in checkpoint:
            states, steps = checkpoint["tangsweep_carry"]
            kinds = [type(cell.initial_state(1)) for cell in self.model.cells]
            self._carry = Carry([kind(*state) for kind, state in zip(kinds, states, strict=True)], steps)
