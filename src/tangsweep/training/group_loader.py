"""The data module of a run: training batches in groups, each of which is one batch for Lightning."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import torch

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches
from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.data_modules.data_module import LanguageDataModule
from tangsweep.training.step_groups import LONGEST_GROUP, StepGroupModule


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
    """The data module of a run: its training batches come in groups, from a new loader each epoch.

    Groups end at steps that are a multiple of one of `periods`, and where a row of metrics.csv is due unless
    the module's groups span rows.
    """

    def __init__(
        self, encoded: EncodedCorpus, batches: RunBatches, periods: Iterable[int], last: int | None
    ) -> None:
        super().__init__(encoded, batches)
        self.periods, self.last = list(periods), last

    def train_dataloader(self) -> StepGroups:  # type: ignore[override]
        trainer = self.trainer
        assert trainer is not None
        module = trainer.lightning_module
        assert isinstance(module, StepGroupModule)
        batches = self.batches.train_batches(trainer.current_epoch)
        periods = self.periods if module.spans_rows else [*self.periods, module.log_every]
        return StepGroups(batches, trainer.global_step, periods, self.last)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Return the group as it is on the CPU, where Lightning would look through it for tensors to move."""
        return (
            batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)
        )
