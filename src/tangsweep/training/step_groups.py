"""How runs of `src/train.py` train: several optimizer steps a call of Lightning's.

`StepGroupModule` and `StepGroupLoader` are the LightningModule and LightningDataModule of every run. They add
what Lightning lacks, and replace some of its parts. Figures are of the default run, Adam, on one core of an
AMD EPYC: 1,100 steps take 2.5 s, and 4.3 s with Lightning's own loop (docs/performance.md).

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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches
from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.data_modules.data_module import LanguageDataModule
from tangsweep.fault_points import fault_point
from tangsweep.training.module import LanguageModelModule, StepOutput

LONGEST_GROUP = 50  # batches that are in memory at once


class GroupOutput(TypedDict):
    """The losses of a group of optimizer steps, which is one batch for Lightning."""

    steps: list[StepOutput]
    grad_norm: Tensor  # 2-norm of all gradients of the last step, before clipping
    lr: float  # of the last step


class StepGroupModule(LanguageModelModule):
    """The module of a run: each call of `training_step` makes an optimizer step for every batch of a group.

    Args:
        clip: bounds the 2-norm of all gradients; None: no clipping.
        run_config: the run's composed config, which its checkpoints carry.
        schedule_each_step: step the schedule after each optimizer step; else at each epoch's start.
        module_options: those of LanguageModelModule.
    """

    def __init__(
        self,
        *,
        clip: float | None,
        run_config: Mapping[str, Any],
        schedule_each_step: bool = False,
        **module_options: Any,
    ) -> None:
        super().__init__(**module_options)
        self.schedule_each_step = schedule_each_step
        self.automatic_optimization = False
        self.clip, self._run_config = clip, dict(run_config)
        self._is_last_of_group, self._norm = False, torch.zeros(())

    def config(self) -> dict[str, Any]:
        return self._run_config

    def on_train_epoch_end(self) -> None:
        """Log nothing: MetricsCallback does."""

    def training_step(  # type: ignore[override]
        self, group: list[Batch], batch_idx: int
    ) -> GroupOutput:
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
                if self.schedule_each_step:
                    self._step_schedule()
            steps.append({**output, "loss": output["loss"].detach()})
            fault_point("step")
        return {"steps": steps, "grad_norm": self._norm, "lr": lr}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip and measure gradients; they are whole here, and of their true size whatever the precision."""
        if self.clip is not None:
            self._norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.clip)
        elif self._is_last_of_group:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            self._norm = torch.nn.utils.get_total_norm(gradients)

    def on_train_epoch_start(self) -> None:
        """Step the schedule, once an epoch: here, so that a checkpoint of an epoch's end is before it."""
        if self._make_scheduler is not None and self.current_epoch > 0 and not self.schedule_each_step:
            self._step_schedule()

    def _step_schedule(self) -> None:
        scheduler: Any = self.lr_schedulers()
        scheduler.step()


@runtime_checkable
class PeriodicCallback(Protocol):
    """A callback that acts after every step that is a multiple of `every`: a group ends there."""

    every: int


class StepGroups:
    """`batches` in lists, the first of them for the step after `step`.

    A list ends where the step is 1 or a multiple of one of `periods`, at the latest with step `last`.
    """

    def __init__(self, batches: BatchSequence, step: int, periods: Iterable[int], last: int | None) -> None:
        self.batches = batches
        steps = len(batches) if last is None else max(0, min(len(batches), last - step))
        self.lengths = _group_lengths(step, step + steps, [*periods])

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[list[Batch]]:
        batches = iter(self.batches)
        return (list(islice(batches, length)) for length in self.lengths)


def _group_lengths(step: int, end: int, periods: Sequence[int]) -> list[int]:
    lengths = []
    while step < end:
        longest = LONGEST_GROUP if step else 1
        length = min(end - step, longest, *(period - step % period for period in periods))
        lengths.append(length)
        step += length
    return lengths


class StepGroupLoader(LanguageDataModule[EncodedCorpus]):
    """The data module of a run: its training batches come in groups, from a new loader each epoch."""

    def __init__(
        self, encoded: EncodedCorpus, batches: RunBatches, periods: Iterable[int], last: int | None
    ) -> None:
        super().__init__(encoded, batches)
        self.periods, self.last = list(periods), last

    def train_dataloader(self) -> StepGroups:  # type: ignore[override]
        trainer = self.trainer
        assert trainer is not None
        batches = self.batches.train_batches(trainer.current_epoch)
        return StepGroups(batches, trainer.global_step, self.periods, self.last)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return the group as it is on the CPU, where Lightning would look through it for tensors to move."""
        return (
            batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)
        )
