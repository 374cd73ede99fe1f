"""The LightningDataModule of a language model, and its loaders, whose items are whole batches.

A subclass for each corpus has the corpus's options as arguments. How texts are batched, padded and ordered is
decided in batches/.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import pytorch_lightning as L
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from tangsweep.batches.batch import Batch, BatchSequence, RunBatches
from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.config.data_options import DataOptions
from tangsweep.config.options import Options, validate_group
from tangsweep.errors import UserError

EncodedT = TypeVar("EncodedT", bound=EncodedCorpus)
OptionsT = TypeVar("OptionsT", bound=Options)
ItemT = TypeVar("ItemT")


class LanguageDataModule(L.LightningDataModule, Generic[EncodedT]):
    """The batches that train and score a language model.

    A subclass says how its corpus is encoded (`encode`) and batched (`make_batches`). Without a subclass both
    are passed: so do runs of `src/train.py`, whose sweep has read and encoded the corpus already.

    `setup` may be called before `fit`: a model needs to know `tokens` and `inputs`.
    """

    task: ClassVar[str] = ""  # the task's name in tasks/registry.py
    options: DataOptions  # of a subclass: how its corpus is batched

    def __init__(self, encoded: EncodedT | None = None, batches: RunBatches | None = None) -> None:
        super().__init__()
        self._encoded, self._batches = encoded, batches
        # Batches are gathered from tensors in memory: worker processes would only slow that down.
        warnings.filterwarnings("ignore", message=".*_dataloader' does not have many workers")

    def checked_options(self, group: type[OptionsT]) -> OptionsT:
        """Return the saved arguments that belong to a group. Raises UserError for the first bad one."""
        values = {key: self.hparams[key] for key in group.model_fields}
        return validate_group(group, values, type(self).__name__)

    def encode(self) -> EncodedT:
        """Find or download the corpus, verify it, split and encode it; the result is cached on disk."""
        raise NotImplementedError(f"{type(self).__name__} has no encode(), and no encoded corpus was passed")

    def make_batches(self, encoded: EncodedT) -> RunBatches:
        """Return the batches of the encoded corpus."""
        raise NotImplementedError(f"{type(self).__name__} has no make_batches(), and no batches were passed")

    def prepare_data(self) -> None:
        """Fill the caches on disk. Raises UserError where the corpus cannot be had."""
        if self._encoded is None:
            self.encode()

    def setup(self, stage: str | None = None) -> None:
        """Load the encoded corpus and batch it, once; `stage` makes no difference."""
        if self._encoded is None:
            self._encoded = self.encode()
        _ = self.batches

    @property
    def encoded(self) -> EncodedT:
        """The encoded corpus. Raises RuntimeError before `setup`."""
        if self._encoded is None:
            raise RuntimeError(f"call setup() of this {type(self).__name__} first")
        return self._encoded

    @property
    def batches(self) -> RunBatches:
        """The batches. Raises RuntimeError before `setup`."""
        if self._batches is None:
            self._batches = self.make_batches(self.encoded)
        return self._batches

    @property
    def batch_size(self) -> int:
        """Sequences a batch; Lightning's batch size finder sets it. Raises UserError for an invalid one."""
        return self.options.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        values = self.options.model_dump() | {"batch_size": size}
        self.options = validate_group(type(self.options), values, type(self).__name__)
        self._batches = None

    @property
    def tokens(self) -> Sequence[str]:
        """What the model predicts, by id."""
        return self.encoded.tokens

    @property
    def inputs(self) -> int:
        """How many ids the model reads, or how wide its input vectors are."""
        return self.encoded.inputs

    @property
    def pad_id(self) -> int | None:
        """The target id of padding, if padding is scored; else None."""
        return self.batches.pad

    def train_dataloader(self) -> DataLoader[Batch]:
        return training_loader(self.batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        return evaluation_loader(self.batches.dev_batches())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the test set. Raises UserError where the split leaves none."""
        batches = self.test_batches()
        if batches is None:
            raise UserError(f"{type(self).__name__} has no test set; {self.test_hint}")
        return evaluation_loader(batches)

    test_hint: ClassVar[str] = "trainer.validate scores the development set"

    def test_batches(self) -> BatchSequence | None:
        """Return the batches of the test set; None where there is none."""
        return self.batches.evaluation_sets().get("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the beginnings of texts to write; the development set where the corpus is no text."""
        beginnings = self.beginnings()
        return item_loader(beginnings) if beginnings else self.val_dataloader()

    def beginnings(self) -> Sequence[str]:
        """Return what `trainer.predict` begins texts with; nothing where the corpus is no text."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """Return the fingerprint of the vocabulary, so that no checkpoint meets other ids unnoticed."""
        return {"vocabulary_fingerprint": self.encoded.facts.vocabulary_fingerprint}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raise UserError where a checkpoint was trained with another vocabulary."""
        if state_dict["vocabulary_fingerprint"] != self.encoded.facts.vocabulary_fingerprint:
            raise UserError(
                f"the checkpoint was trained with another vocabulary than this {type(self).__name__} has: "
                "use the same corpus, split and data options"
            )


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
    datasets give each process its own rows of a batch.
    """

    def __init__(self, dataset: Dataset[Any], length: int, repeat: bool) -> None:
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=False)
        self._length, self._repeat = length, repeat

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        # A generator: where Lightning continues from a checkpoint it calls `set_epoch` after `iter`.
        first = 0 if self._repeat else self.epoch * self._length
        yield from range(first, first + self._length)


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
