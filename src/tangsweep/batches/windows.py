"""Batches that are a function of the step number, and windows of one long text.

Windows lie at random places, one after another, or independent of each other.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from tangsweep.batches.batch import Batch, BatchSequence
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.batches.oov import SingletonReplacement
from tangsweep.config.data_options import BookDataOptions
from tangsweep.randomness import derive_seed

EVALUATION_BATCH_SIZE = 256
EVALUATION_ROWS, EVALUATION_WINDOW = 16, 100
WINDOWS_PER_DOCUMENT = 10  # of one row: 1,000 characters of a book are a document whose score is kept

Ids = NDArray[np.integer]


class ContiguousWindows:
    """The text in `rows` parts of equal length, which are read side by side in windows of `seq_len`.

    Every character but the first of each row is a target exactly once. The first window starts from the
    initial state; the others start from the state after the window before. The last window may be shorter,
    and the last row may end in padding.
    """

    def __init__(self, ids: Ids, rows: int, seq_len: int) -> None:
        targets = len(ids) - 1
        rows = min(rows, targets)
        length = -(-targets // rows)
        self.targets = ids[1:]
        self.inputs = _pad_to_rows(ids[:-1], rows, length, 0)
        self._target_rows = _pad_to_rows(ids[1:], rows, length, -1)
        self.seq_len = seq_len

    def __len__(self) -> int:
        return -(-self.inputs.shape[1] // self.seq_len)

    @property
    def documents(self) -> Ids:
        """The number of the document of each target: ten windows of a row are one."""
        places = np.arange(len(self.targets))
        row, column = places // self.inputs.shape[1], places % self.inputs.shape[1]
        of_row = -(-len(self) // WINDOWS_PER_DOCUMENT)
        return row * of_row + column // self.seq_len // WINDOWS_PER_DOCUMENT

    def first_targets(self, number: int) -> Ids:
        """Return the place in the text's targets (rows,) at which each row of a window begins."""
        return np.arange(len(self.inputs)) * self.inputs.shape[1] + number * self.seq_len

    def window(self, number: int) -> Batch:
        """Return a window, counted from 0; after the last, the text begins again from the initial state."""
        start = number % len(self) * self.seq_len
        columns = slice(start, start + self.seq_len)
        return Batch(self.inputs[:, columns], self._target_rows[:, columns], carry=start > 0)

    def __getitem__(self, number: int) -> Batch:
        return self.window(number)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.window, range(len(self)))


def evaluation_windows(ids: Ids) -> ContiguousWindows:
    """Return the windows in which every run is scored, whatever windows it trains on."""
    return ContiguousWindows(ids, EVALUATION_ROWS, EVALUATION_WINDOW)


def _pad_to_rows(ids: Ids, rows: int, length: int, padding: int) -> torch.Tensor:
    padded = np.full(rows * length, padding, dtype=np.int64)
    padded[: len(ids)] = ids
    return torch.from_numpy(padded.reshape(rows, length))


class IndependentWindows:
    """The text cut into windows of `seq_len` that each start from the initial state, as random windows do.

    Every character but the first of each window is a target exactly once. What is left at the end of the
    text, too short for a window, is not used.
    """

    def __init__(self, ids: Ids, seq_len: int) -> None:
        count = max(1, len(ids) // (seq_len + 1))
        self.rows = torch.from_numpy(ids[: count * (seq_len + 1)].astype(np.int64)).view(count, -1)

    def __len__(self) -> int:
        return -(-len(self.rows) // EVALUATION_BATCH_SIZE)

    def __getitem__(self, number: int) -> Batch:
        rows = self.rows[number * EVALUATION_BATCH_SIZE :][:EVALUATION_BATCH_SIZE]
        return Batch(rows[:, :-1], rows[:, 1:])

    def __iter__(self) -> Iterator[Batch]:
        return map(self.__getitem__, range(len(self)))


class RandomWindows:
    """Windows at places that are drawn from (seed, step); each starts from the initial state."""

    def __init__(self, ids: Ids, rows: int, seq_len: int, seed: int) -> None:
        self.ids = torch.from_numpy(ids.astype(np.int64))
        self.rows, self.seq_len, self.seed = rows, seq_len, seed

    def window(self, number: int) -> Batch:
        random = np.random.default_rng(derive_seed(self.seed, "windows", number))
        starts = random.integers(len(self.ids) - self.seq_len, size=self.rows)
        indices = torch.from_numpy(starts)[:, None] + torch.arange(self.seq_len + 1)
        windows = self.ids[indices]
        return Batch(windows[:, :-1], windows[:, 1:])


class StepRange:
    """The batches of one epoch: those of `count` steps from step `first` on, counted from 0."""

    def __init__(self, draw: Callable[[int], Batch], first: int, count: int) -> None:
        self.draw, self.steps = draw, range(first, first + count)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, number: int) -> Batch:
        return self.draw(self.steps[number])

    def __iter__(self) -> Iterator[Batch]:
        return map(self.draw, self.steps)


class StepwiseBatches:
    """RunBatches in which training step s uses the batch `draw(s)`.

    An epoch is `steps_per_epoch` steps. `evaluation_sets` holds at least `dev`.
    """

    pad: int | None = None

    def __init__(
        self,
        draw: Callable[[int], Batch],
        steps_per_epoch: int,
        evaluation_sets: Mapping[str, BatchSequence],
        whole_sequences: bool = True,
    ) -> None:
        self.draw, self.steps_per_epoch, self._evaluation_sets = draw, steps_per_epoch, dict(evaluation_sets)
        self.whole_sequences = whole_sequences

    def train_batches(self, epoch: int) -> StepRange:
        return StepRange(self.draw, epoch * self.steps_per_epoch, self.steps_per_epoch)

    def dev_batches(self) -> BatchSequence:
        return self._evaluation_sets["dev"]

    def evaluation_sets(self) -> dict[str, BatchSequence]:
        return self._evaluation_sets


def book_batches(
    encoded: EncodedText, data: BookDataOptions, steps_per_epoch: int, seed: int
) -> StepwiseBatches:
    """Return the windows of a book that the options `data` describe; random ones are drawn from `seed`."""
    ids = encoded.train.ids
    singletons = SingletonReplacement(encoded, seed) if data.oov == "singletons" else None

    @lru_cache(maxsize=1)
    def windows_of_epoch(epoch: int) -> ContiguousWindows | RandomWindows:
        epoch_ids = singletons.replace(epoch).ids if singletons else ids
        if data.windows == "contiguous":
            return ContiguousWindows(epoch_ids, data.batch_size, data.seq_len)
        return RandomWindows(epoch_ids, data.batch_size, data.seq_len, seed)

    def draw(step: int) -> Batch:
        return windows_of_epoch(step // steps_per_epoch if singletons else 0).window(step)

    evaluation_sets: dict[str, BatchSequence] = {
        "train": evaluation_windows(ids),
        # Windows from zero state, probably as the course reports measured.
        "train_windows": IndependentWindows(ids, data.seq_len),
        "dev": evaluation_windows(encoded.dev.ids),
    }
    if encoded.test is not None:
        evaluation_sets["test"] = evaluation_windows(encoded.test.ids)
    return StepwiseBatches(draw, steps_per_epoch, evaluation_sets, whole_sequences=False)
