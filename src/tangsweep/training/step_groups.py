"""Steps in laps: what Lightning does for a batch, it does once for several of them.

Lightning's own work costs as much as a small model's step. So what it calls a batch is a lap here: the
batches up to the next step at which somebody looks, a row of metrics.csv above all.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pytorch_lightning as L
import torch

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches

LONGEST = 50  # batches that are in memory at once


class StepGroups:
    """`batches` in lists, the first of them for the step after `step`.

    A list ends where the step is 1 or a multiple of one of `periods`, at the latest with step `last`.
    """

    def __init__(self, batches: BatchSequence, step: int, periods: Iterable[int], last: int | None) -> None:
        self.batches = batches
        steps = len(batches) if last is None else max(0, min(len(batches), last - step))
        self.lengths = _lengths(step, step + steps, [*periods])

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[list[Batch]]:
        drawn = iter(self.batches)
        return (list(islice(drawn, length)) for length in self.lengths)


def _lengths(step: int, end: int, periods: Sequence[int]) -> list[int]:
    lengths = []
    while step < end:
        longest = LONGEST if step else 1
        length = min(end - step, longest, *(period - step % period for period in periods))
        lengths.append(length)
        step += length
    return lengths


class StepGroupLoader(L.LightningDataModule):
    """The training batches of `data` as laps; a new loader each epoch."""

    def __init__(self, data: RunBatches, periods: Iterable[int], last: int | None) -> None:
        super().__init__()
        self.data, self.periods, self.last = data, list(periods), last

    def train_dataloader(self) -> StepGroups:
        trainer = self.trainer
        assert trainer is not None
        batches = self.data.train_batches(trainer.current_epoch)
        return StepGroups(batches, trainer.global_step, self.periods, self.last)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Lightning looks through every lap for what is to be moved: nothing, on the CPU."""
        return (
            batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)
        )
