"""Batches of poems, gathered by index from one padded tensor; nothing else is built at each step."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tangsweep.batches.batch import Batch
from tangsweep.batches.encoded_text import Documents, EncodedSequences, EncodedText
from tangsweep.batches.oov import SingletonReplacement
from tangsweep.config.data_options import PoemDataOptions
from tangsweep.corpora.vocabulary import PAD
from tangsweep.randomness import derive_seed

BATCHES_PER_BUCKET = 50  # rows are sorted by length within a bucket of so many batches
EVALUATION_BATCH_SIZE = 64

Rows = NDArray[np.int64]  # indices of the sequences of one batch


class PaddedSequences:
    """N sequences as two padded (N, T) tensors, `inputs` and `targets`.

    T is `width`, or the longest sequence's length if `width` is None. The target of padding is −1, which is
    not scored. With `score_pads` it is `<pad>` and scored like any other, as in the course reports.
    """

    def __init__(self, sequences: EncodedSequences, width: int | None, score_pads: bool) -> None:
        lengths = sequences.lengths - 1
        shape = (len(lengths), width or int(lengths.max()))
        column = np.arange(shape[1])
        inside = column < lengths[:, None]
        source = np.where(inside, sequences.starts[:-1, None] + column, 0)
        pad_target = PAD if score_pads else -1
        self.inputs = torch.from_numpy(np.where(inside, sequences.ids[source], PAD)).long()
        targets = np.where(inside, sequences.ids[np.where(inside, source + 1, 0)], pad_target)
        self.targets = torch.from_numpy(targets).long()
        self.lengths = lengths
        self.fixed_width = width

    def batch(self, rows: Rows) -> Batch:
        """Return the sequences `rows`, padded to the longest of them, or to the fixed width."""
        width = self.fixed_width or int(self.lengths[rows].max())
        indices = torch.from_numpy(rows)
        return Batch(self.inputs[indices, :width], self.targets[indices, :width])


class IndexedBatches:
    """An iterable of batches of the given rows, in the given order."""

    def __init__(self, sequences: PaddedSequences, order: Sequence[Rows]) -> None:
        self.sequences, self.order = sequences, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, number: int) -> Batch:
        return self.sequences.batch(self.order[number])

    def __iter__(self) -> Iterator[Batch]:
        return map(self.sequences.batch, self.order)


class PoemSet(IndexedBatches):
    """Every sequence of a set once, from the longest to the shortest, for evaluation."""

    def __init__(self, sequences: EncodedSequences, padded: PaddedSequences, documents: Documents) -> None:
        super().__init__(padded, longest_first(padded).order)
        self.targets = sequences.targets
        self.documents = np.repeat(documents.of_sequence, sequences.lengths - 1)
        self._firsts = sequences.starts[:-1] - np.arange(len(sequences.lengths))

    def first_targets(self, number: int) -> NDArray[np.int64]:
        """Return the place in `targets` (B,) at which each row of a batch begins."""
        return self._firsts[self.order[number]]


def bucket_by_length(lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """Return every row once, in batches of rows of similar length; a function of (seed, epoch) alone.

    Rows are shuffled and cut into buckets of BATCHES_PER_BUCKET batches. The rows of a bucket are sorted by
    length and cut into batches, and all batches are shuffled.
    """
    random = np.random.default_rng(derive_seed(seed, "order", epoch))
    rows = random.permutation(len(lengths))
    bucket_size = BATCHES_PER_BUCKET * batch_size
    batches = []
    for start in range(0, len(rows), bucket_size):
        bucket = rows[start : start + bucket_size]
        if batch_size > 1:
            bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


class PoemBatches:
    """RunBatches of poems: training batches as `bucket_by_length` orders them, evaluation longest first."""

    whole_sequences = True

    def __init__(self, encoded: EncodedText, data: PoemDataOptions, seed: int) -> None:
        self.batch_size, self.seed = data.batch_size, seed
        self.pad = PAD if data.score_pads else None
        self._encoded = encoded
        # Padded to max_chars and one special token (<bos> or <eos>), or to the longest of each batch.
        self._width = data.max_chars + 1 if data.pad == "fixed" else None
        self.train, self.dev = self._padded(encoded.train), self._padded(encoded.dev)
        self._singletons = SingletonReplacement(encoded, seed) if data.oov == "singletons" else None

    def _padded(self, sequences: EncodedSequences) -> PaddedSequences:
        return PaddedSequences(sequences, self._width, self.pad is not None)

    def train_batches(self, epoch: int) -> IndexedBatches:
        order = bucket_by_length(self.train.lengths, self.batch_size, self.seed, epoch)
        if self._singletons is None:
            return IndexedBatches(self.train, order)
        return IndexedBatches(self._padded(self._singletons.replace(epoch)), order)

    def dev_batches(self) -> PoemSet:
        return PoemSet(self._encoded.dev, self.dev, self._encoded.documents["dev"])

    def evaluation_sets(self) -> dict[str, IndexedBatches]:
        sets = {"train": longest_first(self.train), "dev": self.dev_batches()}
        test = self.test_batches()
        return sets if test is None else {**sets, "test": test}

    def test_batches(self) -> PoemSet | None:
        """Return the test set; None where there is none."""
        test = self._encoded.test
        documents = self._encoded.documents
        return None if test is None else PoemSet(test, self._padded(test), documents["test"])


def longest_first(sequences: PaddedSequences) -> IndexedBatches:
    """Return every sequence once, from the longest to the shortest, for evaluation."""
    rows = np.argsort(-sequences.lengths, kind="stable")
    order = [rows[i : i + EVALUATION_BATCH_SIZE] for i in range(0, len(rows), EVALUATION_BATCH_SIZE)]
    return IndexedBatches(sequences, order)
