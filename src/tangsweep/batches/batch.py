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
class TextBatches(BatchSequence, Protocol):
    """Batches of a text of N scored characters, in documents such as poems, whose scores are kept apart."""

    @property
    def targets(self) -> NDArray[np.integer]: ...  # (N,) ids, in the order of the text
    @property
    def documents(self) -> NDArray[np.integer]: ...  # (N,) the number of the document of each target
    def first_targets(self, number: int, /) -> NDArray[np.integer]:
        """Return the place in `targets` (B,) at which each row of a batch begins."""
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
