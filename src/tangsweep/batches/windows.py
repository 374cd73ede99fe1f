"""Windows of one long text, at random places or one after the other."""

from collections.abc import Iterator

import numpy as np
import torch

from tangsweep.batches.batch import Batch
from tangsweep.randomness import derive_seed

EVALUATION_BATCH = 256
ROWS, WINDOW = 16, 100  # of evaluation: the text in so many rows, each read through with its state carried


class Contiguous:
    """The text in `rows` stretches of equal length, read side by side in windows of `seq_len`.

    Every character but the first of each row is a target exactly once; only the first window starts
    from the initial state. The last window may be shorter; the last row's end may be padding.
    """

    def __init__(self, ids: np.ndarray, rows: int, seq_len: int) -> None:
        targets = len(ids) - 1
        rows = min(rows, targets)
        length = -(-targets // rows)
        self.inputs = _rows(ids[:-1], rows, length, 0)
        self.targets = _rows(ids[1:], rows, length, -1)
        self.seq_len = seq_len

    def __len__(self) -> int:
        return -(-self.inputs.shape[1] // self.seq_len)

    def window(self, number: int) -> Batch:
        """Windows count from 0 and begin anew, from the initial state, after the last."""
        start = number % len(self) * self.seq_len
        part = slice(start, start + self.seq_len)
        return Batch(self.inputs[:, part], self.targets[:, part], carry=start > 0)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.window, range(len(self)))


def for_evaluation(ids: np.ndarray) -> Contiguous:
    """The same for every run, however it trains: what is scored does not depend on training windows."""
    return Contiguous(ids, ROWS, WINDOW)


def _rows(ids: np.ndarray, rows: int, length: int, padding: int) -> torch.Tensor:
    padded = np.full(rows * length, padding, dtype=np.int64)
    padded[: len(ids)] = ids
    return torch.from_numpy(padded.reshape(rows, length))


class Apart:
    """The text cut into windows of `seq_len`, each from the initial state: how random windows are trained.

    Every character but the first of each window is a target exactly once.
    """

    def __init__(self, ids: np.ndarray, seq_len: int) -> None:
        count = max(1, len(ids) // (seq_len + 1))
        self.rows = torch.from_numpy(ids[: count * (seq_len + 1)].astype(np.int64)).view(count, -1)

    def __len__(self) -> int:
        return -(-len(self.rows) // EVALUATION_BATCH)

    def __iter__(self) -> Iterator[Batch]:
        return (Batch(rows[:, :-1], rows[:, 1:]) for rows in self.rows.split(EVALUATION_BATCH))


class Random:
    """Windows at places drawn from (seed, step), each from the initial state."""

    def __init__(self, ids: np.ndarray, rows: int, seq_len: int, seed: int) -> None:
        self.ids = torch.from_numpy(ids.astype(np.int64))
        self.rows, self.seq_len, self.seed = rows, seq_len, seed

    def window(self, number: int) -> Batch:
        random = np.random.default_rng(derive_seed(self.seed, "windows", number))
        starts = random.integers(len(self.ids) - self.seq_len, size=self.rows)
        places = torch.from_numpy(starts)[:, None] + torch.arange(self.seq_len + 1)
        drawn = self.ids[places]
        return Batch(drawn[:, :-1], drawn[:, 1:])
