"""Torch DataLoaders whose items are whole batches: batching, padding and order are decided in batches/."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches

ItemT = TypeVar("ItemT")


class StepDataset(Dataset[Batch]):
    """The training batches: item s is the batch of optimizer step s, counted from 0 over all epochs."""

    def __init__(self, batches: RunBatches) -> None:
        self._batches = batches
        self._epoch, self._of_epoch = 0, batches.train_batches(0)

    def __len__(self) -> int:
        """Return the steps of an epoch; every epoch has as many."""
        return len(self._of_epoch)

    def __getitem__(self, step: int) -> Batch:
        epoch, number = divmod(step, len(self))
        if epoch != self._epoch:
            self._epoch, self._of_epoch = epoch, self._batches.train_batches(epoch)
        return rows_of_process(self._of_epoch[number])


class EvaluationDataset(Dataset[Batch]):
    """The batches of a set that is evaluated."""

    def __init__(self, batches: BatchSequence) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:
        return rows_of_process(self._batches[number])


class StepSampler(DistributedSampler[int]):
    """The optimizer steps of an epoch in their order; Lightning calls `set_epoch`.

    It is a DistributedSampler so that Lightning leaves it alone: every process takes all steps, and the
    datasets above give each process its own rows of a batch.
    """

    def __init__(self, dataset: Dataset[Any], length: int, repeat: bool) -> None:
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=False)
        self._length, self._repeat = length, repeat

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        first = 0 if self._repeat else self.epoch * self._length
        return iter(range(first, first + self._length))


def training_loader(batches: RunBatches) -> DataLoader[Batch]:
    """Return the loader of the training batches, which differ from epoch to epoch."""
    dataset = StepDataset(batches)
    return _loader(dataset, StepSampler(dataset, len(dataset), repeat=False))


def evaluation_loader(batches: BatchSequence) -> DataLoader[Batch]:
    """Return the loader of a set that is evaluated, the same in every epoch."""
    dataset = EvaluationDataset(batches)
    return _loader(dataset, StepSampler(dataset, len(dataset), repeat=True))


def item_loader(items: Sequence[ItemT]) -> DataLoader[ItemT]:
    """Return a loader of items that are passed on as they are, such as the beginnings of texts."""
    return DataLoader(list(items), batch_size=None, collate_fn=_unchanged)  # type: ignore[arg-type]


def _loader(dataset: Dataset[Batch], sampler: StepSampler) -> DataLoader[Batch]:
    return DataLoader(dataset, batch_size=None, sampler=sampler, collate_fn=_unchanged)


def _unchanged(item: ItemT) -> ItemT:
    return item


def rows_of_process(batch: Batch) -> Batch:
    """Return the rows of a batch that this process computes where n processes train together: every n-th.

    A process for which no row is left gets one in which nothing is scored.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return batch
    rank, processes = distributed.get_rank(), distributed.get_world_size()
    if rank >= len(batch.inputs):
        unscored = torch.full_like(batch.targets[:1], -1)
        return Batch(batch.inputs[:1], unscored, _rows(batch.times, slice(1)), batch.carry)
    own = slice(rank, None, processes)
    return Batch(batch.inputs[own], batch.targets[own], _rows(batch.times, own), batch.carry)


def _rows(tensor: Tensor | None, rows: slice) -> Tensor | None:
    return None if tensor is None else tensor[rows]
