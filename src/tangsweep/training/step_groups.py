"""Batches in groups: what Lightning does for a batch, it does once for several optimizer steps.

Lightning's own work costs as much as a small model's step. So what it calls a batch is a group of batches
here: those up to the next step at which a callback acts, such as a row of metrics.csv.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as L
import torch

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches

LONGEST_GROUP = 50  # batches that are in memory at once


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


class StepGroupLoader(L.LightningDataModule):
    """The training batches of a run in groups; a new loader each epoch."""

    def __init__(self, batches: RunBatches, periods: Iterable[int], last: int | None) -> None:
        super().__init__()
        self.batches, self.periods, self.last = batches, list(periods), last

    def train_dataloader(self) -> StepGroups:
        trainer = self.trainer
        assert trainer is not None
        batches = self.batches.train_batches(trainer.current_epoch)
        return StepGroups(batches, trainer.global_step, self.periods, self.last)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return the group as it is on the CPU, where Lightning would look through it for tensors to move."""
        return (
            batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)
        )
