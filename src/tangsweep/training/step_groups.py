"""How runs of `src/train.py` train: several optimizer steps a call of Lightning's.

`StepGroupModule` and `StepGroupLoader` (group_loader.py) are the LightningModule and LightningDataModule of
every run. They add what Lightning lacks, and replace some of its parts. Figures are of the default run, Adam,
on one core of an AMD EPYC (docs/performance.md).

| part of Lightning | in a run | why |
|---|---|---|
| one batch a step | a group of batches, up to the next step at which a callback acts | 0.9 ms a step |
| automatic optimization | manual, clipping included | 0.8 ms a step |
| `max_steps` | `StepBudget` (callbacks.py) | an epoch's checkpoint is restored as of mid-epoch with it |
| validation loop | `MetricsCallback` | 7 ms and not 40 ms an epoch; it evaluates before the first step too |
| `ModelCheckpoint`, its files | `Checkpoints`, `AtomicCheckpointIO` | no half file after a kill |
| loggers | `metrics.csv`, and mirrors of it | rows survive a kill and are cut to the last checkpoint |
| schedulers | stepped at an epoch's start | a checkpoint of an epoch's end is before the step |
| progress bar | `ProgressCallback` | one line a run, relayed from worker processes |
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer

from tangsweep.batches.batch import Batch
from tangsweep.direct_gradients import has_direct_gradients, loss_and_gradients
from tangsweep.fault_points import fault_point
from tangsweep.language_model import Carry, LossOutput
from tangsweep.training.module import LanguageModelModule, StepOutput

FULL_PRECISION = ("32-true", "64-true")
LONGEST_GROUP = 50  # batches that are in memory at once
GROUP_SECONDS = 0.25  # for so long the progress bar may stand still


class TrainedStep(TypedDict):
    """One optimizer step that was made."""

    output: StepOutput
    lr: float
    grad_norm: Tensor | None  # 2-norm of all gradients before clipping, where a row of metrics.csv has it
    time: float  # time.perf_counter() after the step


class GroupOutput(TypedDict):
    """The steps of a group, which is one batch for Lightning; fewer than its batches where one diverged."""

    steps: list[TrainedStep]


def has_row(step: int, every: int) -> bool:
    """Return whether metrics.csv has a row of `step`, counted from 1; the first gradients are shown too."""
    return step == 1 or step % every == 0


class StepGroupModule(LanguageModelModule):
    """The module of a run: each call of `training_step` makes an optimizer step for every batch of a group.

    Args:
        clip: bounds the 2-norm of all gradients; None: no clipping.
        sum_over_sequence: minimize the loss summed over each sequence, mean over those of a batch, and not
            the mean over all scored positions.
        run_config: the run's composed config, which its checkpoints carry.
        log_every: steps between rows of metrics.csv.
        schedule_each_step: step the schedule after each optimizer step; else at each epoch's start.
        module_options: those of LanguageModelModule.
    """

    def __init__(
        self,
        *,
        clip: float | None,
        sum_over_sequence: bool = False,
        run_config: Mapping[str, Any],
        log_every: int = 1,
        schedule_each_step: bool = False,
        **module_options: Any,
    ) -> None:
        super().__init__(**module_options)
        self.log_every, self.schedule_each_step = log_every, schedule_each_step
        self.automatic_optimization = False
        self.clip, self.sum_over_sequence, self._run_config = clip, sum_over_sequence, dict(run_config)
        self.after_update: list[Callable[[torch.nn.Module], None]] = []  # called after each optimizer step
        self._is_direct = False  # whether gradients are computed without autograd
        self._is_measured = False  # whether the step under way has a row
        self._norm: Tensor | None = None  # of that step's gradients
        self._losses: list[Tensor] = []  # since the last row
        self._step_seconds = math.inf  # mean of the last group

    def config(self) -> dict[str, Any]:
        return self._run_config

    def on_train_epoch_end(self) -> None:
        """Log nothing: MetricsCallback does."""

    def training_step(  # type: ignore[override]
        self, group: list[Batch], batch_idx: int
    ) -> GroupOutput:
        """Make one optimizer step a batch."""
        self._is_direct = self.trainer.precision in FULL_PRECISION and has_direct_gradients(self.model)
        wrapped = self.optimizers()
        assert isinstance(wrapped, LightningOptimizer)
        step_model = self._step_directly if self._is_direct else self._step_by_autograd
        steps: list[TrainedStep] = []
        start = time.perf_counter()
        for step, batch in enumerate(group, start=self.global_step):
            self._is_measured, self._norm = has_row(step + 1, self.log_every), None
            lr = wrapped.param_groups[0]["lr"]
            output = step_model(batch, step, wrapped)
            if self.schedule_each_step:
                self._step_schedule()
            steps.append({"output": output, "lr": lr, "grad_norm": self._norm, "time": time.perf_counter()})
            fault_point("step")
            if self._is_direct and self._has_diverged(output["loss"]):
                break
        self._step_seconds = (time.perf_counter() - start) / len(steps)
        return {"steps": steps}

    @property
    def spans_rows(self) -> bool:
        """Whether a group is as long as it may be, whatever rows there are of its steps: where these are so
        short that Lightning's work for a group counts. Progress is still shown several times a second.
        """
        return self._is_direct and self._step_seconds * LONGEST_GROUP < GROUP_SECONDS

    def _has_diverged(self, loss: Tensor) -> bool:
        """Return whether a loss since the last row is not finite; known only at a step that has a row.

        MetricsCallback then raises Diverged, at the same step however long groups are.
        """
        self._losses.append(loss)
        if not self._is_measured:
            return False
        losses, self._losses = self._losses, []
        return not torch.stack(losses).isfinite().all()

    def _step_directly(self, batch: Batch, step: int, wrapped: LightningOptimizer) -> StepOutput:
        output = self.loss(batch, step)
        if self.sum_over_sequence:
            gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
            torch._foreach_mul_(gradients, self._loss_scale(output, batch))
        self._update(wrapped)
        return output

    def _loss_scale(self, output: StepOutput, batch: Batch) -> float:
        """Return the factor from the mean over scored positions to the sum over each sequence."""
        return output["scored"] / len(batch.targets)

    def _step_by_autograd(self, batch: Batch, step: int, wrapped: LightningOptimizer) -> StepOutput:
        """Lightning's manual_backward adds hooks that nobody uses here, and its wrapper is needed only where
        gradients are scaled: with 16-mixed.
        """
        output = self.loss(batch, step)
        for weight in self.parameters():
            weight.grad = None  # Optimizer.zero_grad takes 0.04 ms for it
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        with torch.autocast(self.device.type, enabled=False):
            loss = output["loss"]
            if self.sum_over_sequence:
                loss = loss * self._loss_scale(output, batch)
            (scaler.scale(loss) if scaler else loss).backward()
            self._update(wrapped, scaled=scaler is not None)
        return {**output, "loss": output["loss"].detach()}

    def _model_loss(self, batch: Batch, carry: Carry | None, step: int) -> tuple[LossOutput, Carry]:
        if self._is_direct:
            return loss_and_gradients(self.model, batch.inputs, batch.targets, batch.times, carry)
        return super()._model_loss(batch, carry, step)

    def _update(self, wrapped: LightningOptimizer, scaled: bool = False) -> None:
        """Make an optimizer step without Lightning's wrapper, and count it as that does; with it where
        gradients are `scaled`.
        """
        if scaled:
            wrapped.step()
        else:
            self._step_optimizer(wrapped)
        for update in self.after_update:
            update(self.model)

    def _step_optimizer(self, wrapped: LightningOptimizer) -> None:
        self.on_before_optimizer_step(wrapped.optimizer)
        wrapped.optimizer.step()
        counter = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        counter.increment_ready()
        counter.increment_completed()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip and measure gradients; they are whole here, and of their true size whatever the precision."""
        if self.clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.clip)
            self._norm = norm if self._is_measured else None
        elif self._is_measured:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_epoch_start(self) -> None:
        """Step the schedule, once an epoch: here, so that a checkpoint of an epoch's end is before it."""
        if self._make_scheduler is not None and self.current_epoch > 0 and not self.schedule_each_step:
            self._step_schedule()

    def _step_schedule(self) -> None:
        scheduler: Any = self.lr_schedulers()
        scheduler.step()
