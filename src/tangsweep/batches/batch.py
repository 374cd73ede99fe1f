"""What a training step and an evaluation see of the data, whatever it is."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from torch import Tensor


class Batch(NamedTuple):
    """`inputs` (B, T) ids or (B, T, width) reals; `targets` (B, T) ids, −1 where not scored.

    `times` (B, T) are time stamps or None. `carry` says whether every row goes on from the state that
    the batch before left; else each starts from its initial state.
    """

    inputs: Tensor
    targets: Tensor
    times: Tensor | None = None
    carry: bool = False


class BatchSequence(Protocol):
    """Batches whose number is known before they are made."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Batch]: ...


class RunBatches(Protocol):
    """What trains and scores a model, whatever the task."""

    pad: int | None  # the target that is no text, where it is scored
    whole_sequences: bool  # a row of a batch is a sequence; else a piece of one long text

    def train_batches(self, epoch: int) -> BatchSequence:
        """One epoch, counted from 0; a step a batch."""
        ...

    def dev_batches(self) -> BatchSequence:
        """The development set, for `evaluate`; Lightning's own validation loop is not used."""
        ...

    def sides(self) -> Mapping[str, BatchSequence]:
        """What the closing scores are of: `dev`, `train` where it can be scored whole, and more by name."""
        ...
