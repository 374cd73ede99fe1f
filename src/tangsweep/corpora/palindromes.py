"""Palindromes of decimal digits: an endless stream for training, a fixed set for evaluation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tangsweep.randomness import derive

NAME = "palindromes"
DIGITS = 10
VERSION = 1  # raise it whenever the same settings would give other digits


@dataclass(frozen=True)
class Palindromes:
    """Palindromes of `length` digits, of which `held_out` are the evaluation set.

    The evaluation set depends on nothing else, not on a run's seed. Training never draws a member of
    it, unless there are so few palindromes of this length that little would be left (`overlaps`).
    """

    length: int
    held_out: int

    @property
    def distinct(self) -> int:
        """How many palindromes of this length there are."""
        return DIGITS ** self._half(self.length)

    @property
    def overlaps(self) -> bool:
        """Whether training may draw members of the evaluation set: where it is over half of all there are."""
        return self.distinct < 2 * self.held_out

    @property
    def fingerprint(self) -> str:
        """Says what is drawn: the rule's version and the length."""
        return f"{NAME}-{VERSION}-{self.length}"

    @cached_property
    def evaluation(self) -> np.ndarray:
        """(held_out, length) digits; all different, unless they overlap with training anyway."""
        random = np.random.default_rng(derive(0, "palindromes held out", self.length))
        drawn = self._draw(self.held_out, self.length, random)
        while not self.overlaps and (repeated := _repeated(drawn)).any():
            drawn[repeated] = self._draw(int(repeated.sum()), self.length, random)
        return drawn

    @cached_property
    def _excluded(self) -> frozenset[bytes]:
        return frozenset() if self.overlaps else frozenset(row.tobytes() for row in self.evaluation)

    def training(self, count: int, length: int, random: np.random.Generator) -> np.ndarray:
        """(count, length) digits; a `length` below the set's own is a step of a curriculum."""
        drawn = self._draw(count, length, random)
        while length == self.length and (held := self._held_out(drawn)).any():
            drawn[held] = self._draw(int(held.sum()), length, random)
        return drawn

    def _held_out(self, rows: np.ndarray) -> np.ndarray:
        return np.array([row.tobytes() in self._excluded for row in rows])

    @staticmethod
    def _half(length: int) -> int:
        return (length + 1) // 2

    @classmethod
    def _draw(cls, count: int, length: int, random: np.random.Generator) -> np.ndarray:
        half = random.integers(DIGITS, size=(count, cls._half(length)))
        return np.concatenate([half, half[:, : length // 2][:, ::-1]], axis=1)


def _repeated(rows: np.ndarray) -> np.ndarray:
    """Which rows equal an earlier one."""
    _, first = np.unique(rows, axis=0, return_index=True)
    repeated = np.ones(len(rows), dtype=bool)
    repeated[first] = False
    return repeated
