"""How much of a text occurs in the training text already."""

from collections.abc import Sequence

import numpy as np

Ids = Sequence[int] | np.ndarray
NOWHERE = -1  # between texts: no run goes over it


def longest_copies(texts: Sequence[Ids], training: Sequence[Ids]) -> list[np.ndarray]:
    """For each position of each text how many ids from there on occur, in a row, in one training text.

    Ids are not negative. Exact, in time proportional to what is copied: runs of n + 1 are looked for only
    where runs of n were found; a run is known by the number of its first n ids and by its last.
    """
    ours, theirs = _joined(texts), _joined(training)
    base = int(max(ours.max(), theirs.max())) + 1
    copied = np.zeros(len(ours), dtype=np.int64)
    mine, there = np.arange(len(ours)), np.arange(len(theirs))
    my_runs, their_runs = np.zeros_like(mine), np.zeros_like(there)
    length = 0
    while len(mine):
        mine, my_runs = _extended(mine, my_runs, ours, length, base)
        there, their_runs = _extended(there, their_runs, theirs, length, base)
        known, my_runs = np.unique(my_runs, return_inverse=True)
        places = np.searchsorted(known, their_runs)
        found = np.append(known, NOWHERE)[places] == their_runs
        there, their_runs = there[found], places[found]
        shared = np.zeros(len(known), dtype=bool)
        shared[their_runs] = True
        mine, my_runs = mine[shared[my_runs]], my_runs[shared[my_runs]]
        length += 1
        copied[mine] = length
    ends = np.cumsum([len(text) + 1 for text in texts])
    return [copied[end - 1 - len(text) : end - 1] for end, text in zip(ends, texts, strict=True)]


def _joined(texts: Sequence[Ids]) -> np.ndarray:
    """All ids, NOWHERE after each text."""
    parts = [part for text in texts for part in (np.asarray(text, dtype=np.int64), [NOWHERE])]
    return np.concatenate([*parts, [NOWHERE]]).astype(np.int64)


def _extended(
    starts: np.ndarray, runs: np.ndarray, ids: np.ndarray, length: int, base: int
) -> tuple[np.ndarray, np.ndarray]:
    """Runs of `length` from `starts` on, each with its number, as runs of one more: those that go on."""
    following = ids[np.minimum(starts + length, len(ids) - 1)]
    goes_on = following != NOWHERE
    return starts[goes_on], runs[goes_on] * base + following[goes_on]
