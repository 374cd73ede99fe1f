"""Batches of poems: the resident corpus, cut by index; nothing is built per step but the gather."""

from collections.abc import Iterator

import numpy as np
import torch

from tangsweep.batches.batch import Batch
from tangsweep.batches.encoded import Encoded, Sequences
from tangsweep.corpora.vocabulary import PAD
from tangsweep.randomness import derive_seed

BUCKET = 50  # batches of similar length are formed within stretches of this many batches
EVALUATION_BATCH = 64


class Resident:
    """All sequences as two padded (N, T) tensors; `targets` is −1 behind each sequence's end.

    `width` None pads to the longest sequence. With `score_pads` the padding is a target like any
    other, as in the course reports.
    """

    def __init__(self, sequences: Sequences, width: int | None, score_pads: bool) -> None:
        lengths = sequences.lengths - 1
        shape = (len(lengths), width or int(lengths.max()))
        column = np.arange(shape[1])
        inside = column < lengths[:, None]
        source = np.where(inside, sequences.starts[:-1, None] + column, 0)
        outside = PAD if score_pads else -1
        self.inputs = torch.from_numpy(np.where(inside, sequences.ids[source], PAD)).long()
        targets = np.where(inside, sequences.ids[np.where(inside, source + 1, 0)], outside)
        self.targets = torch.from_numpy(targets).long()
        self.lengths = lengths
        self.fixed_width = width

    def batch(self, rows: np.ndarray) -> Batch:
        """The sequences `rows`, padded to the longest of them (or to the fixed width)."""
        width = self.fixed_width or int(self.lengths[rows].max())
        chosen = torch.from_numpy(rows)
        return Batch(self.inputs[chosen, :width], self.targets[chosen, :width])


class Batches:
    """An iterable of batches with a length, in the order it was given."""

    def __init__(self, resident: Resident, order: list[np.ndarray]) -> None:
        self.resident = resident
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.resident.batch, self.order)


def bucketed(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Every row once, in batches of rows of similar length; a function of (seed, epoch) alone.

    Rows are shuffled, sorted by length within stretches of `BUCKET` batches, cut into batches, and
    the batches shuffled.
    """
    random = np.random.default_rng(derive_seed(seed, "order", epoch))
    rows = random.permutation(len(lengths))
    stretch = BUCKET * batch_size
    batches = []
    for start in range(0, len(rows), stretch):
        part = rows[start : start + stretch]
        if batch_size > 1:
            part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


class PoemData:
    """Training batches in an order of (seed, epoch), evaluation batches from longest to shortest."""

    whole_sequences = True

    def __init__(
        self, encoded: Encoded, batch_size: int, seed: int, width: int | None, score_pads: bool
    ) -> None:
        self.batch_size, self.seed = batch_size, seed
        self.pad = PAD if score_pads else None  # the target that is no text, where it is scored
        self.train = Resident(encoded.train, width, score_pads)
        self.dev = Resident(encoded.dev, width, score_pads)

    def train_batches(self, epoch: int) -> Batches:
        return Batches(self.train, bucketed(self.train.lengths, self.batch_size, self.seed, epoch))

    def dev_batches(self) -> Batches:
        """The development set, for `evaluate`; Lightning's own validation loop is not used."""
        return in_order(self.dev)

    def sides(self) -> dict[str, Batches]:
        """What the closing scores are of."""
        return {"train": in_order(self.train), "dev": in_order(self.dev)}


def in_order(resident: Resident) -> Batches:
    """Every sequence once, longest first, for evaluation."""
    rows = np.argsort(-resident.lengths, kind="stable")
    order = [rows[i : i + EVALUATION_BATCH] for i in range(0, len(rows), EVALUATION_BATCH)]
    return Batches(resident, order)
