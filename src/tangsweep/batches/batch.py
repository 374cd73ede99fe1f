"""Protocols of the batches that training and evaluation read, whatever the task."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Batch(NamedTuple):
    """One batch: B rows of T steps.

    If `carry` is true, every row continues from the state in which the batch before ended; otherwise each row
    starts from its initial state.
    """

    inputs: Tensor  # (B, T) ids or (B, T, width) real numbers
    targets: Tensor  # (B, T) ids; −1 where nothing is scored
    times: Tensor | None = None  # (B, T) time stamps
    carry: bool = False


class BatchSequence(Protocol):
    """Batches by number, which can be iterated repeatedly."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Batch: ...
    def __iter__(self) -> Iterator[Batch]: ...


@runtime_checkable
class DocumentBatches(BatchSequence, Protocol):
    """Batches of a text that consists of documents, such as poems, whose scores are kept apart."""

    @property
    def documents(self) -> int: ...  # how many
    def rows_documents(self, number: int, /) -> NDArray[np.int32]:
        """Return the number of the document (B,) that each row of a batch belongs to."""
        ...


class RunBatches(Protocol):
    """The batches that train and score one model."""

    pad: int | None  # the target id of padding, if padding is scored; else None
    whole_sequences: bool  # whether a row is a sequence of its own rather than a window of one long text

    def train_batches(self, epoch: int) -> BatchSequence:
        """Return the training batches of an epoch, counted from 0; each batch is one optimizer step."""
        ...

    def dev_batches(self) -> BatchSequence:
        """Return the development set, which is scored after every epoch."""
        ...

    def evaluation_sets(self) -> Mapping[str, BatchSequence]:
        """Return the sets that are scored after training, by name.

        `dev` is always among them; `train` is if it can be scored as a whole, and `test` if there is one.
        """
        ...
