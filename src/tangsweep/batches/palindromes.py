"""Palindromes of digits: how they are drawn, and their batches. Importing this module imports no torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tangsweep.batches.synthetic import EncodedExamples, split_batch, synthetic_facts
from tangsweep.randomness import derive_seed

if TYPE_CHECKING:
    from tangsweep.batches.batch import Batch
    from tangsweep.batches.windows import StepwiseBatches

NAME = "palindromes"
DIGITS = 10
VERSION = 1  # raise it whenever the same settings would give other digits
SHORTEST = 5  # where a curriculum begins


def encode_palindromes(palindromes: "Palindromes") -> EncodedExamples:
    """Return the facts and the baseline of a set of palindromes; the model predicts one of ten digits."""
    facts = synthetic_facts(
        palindromes.fingerprint,
        palindromes.dev_size,
        DIGITS,
        "digits",
        length=palindromes.length,
        distinct=f"{DIGITS}^{palindromes.free_digits}",
        dev_overlaps_training=palindromes.overlaps,
    )
    tokens = [str(digit) for digit in range(DIGITS)]
    return EncodedExamples(tokens, DIGITS, facts, {"uniform": float(DIGITS)})


def palindrome_batches(
    palindromes: "Palindromes", rows: int, curriculum: int, steps_per_epoch: int, seed: int
) -> "StepwiseBatches":
    """Return batches of `rows` palindromes, each drawn from (seed, step), and the evaluation set."""
    from tangsweep.batches.windows import StepwiseBatches

    def draw(step: int) -> "Batch":
        random = np.random.default_rng(derive_seed(seed, NAME, step))
        length = length_at(step, palindromes.length, curriculum, random)
        return palindrome_batch(palindromes.training(rows, length, random))

    evaluation_sets = {"dev": split_batch(palindrome_batch(palindromes.evaluation))}
    return StepwiseBatches(draw, steps_per_epoch, evaluation_sets)


def length_at(step: int, length: int, curriculum: int, random: np.random.Generator) -> int:
    """Return how many digits palindromes have at `step`, counted from 0.

    With a curriculum the length is drawn from 5 to a limit, which rises from 5 to `length` over `curriculum`
    steps and stays there. Without one (0), or where `length` is at most 5, it is always `length`.
    """
    if not curriculum or length <= SHORTEST:
        return length
    limit = min(length, SHORTEST + (length - SHORTEST) * step // curriculum)
    return int(random.integers(SHORTEST, limit + 1))


def palindrome_batch(digits: np.ndarray) -> "Batch":
    """Return a batch of palindromes (B, T): the first T − 1 digits are read, the last one is the target."""
    import torch

    from tangsweep.batches.batch import Batch

    targets = np.full((len(digits), digits.shape[1] - 1), -1)
    targets[:, -1] = digits[:, -1]
    return Batch(torch.from_numpy(np.ascontiguousarray(digits[:, :-1])), torch.from_numpy(targets))


@dataclass(frozen=True)
class Palindromes:
    """Palindromes of `length` digits, of which `dev_size` are the evaluation set.

    The evaluation set depends on these two alone, not on a run's seed. Training never draws a member of it,
    unless it is more than half of all palindromes of this length (`overlaps`).
    """

    length: int
    dev_size: int

    @property
    def distinct(self) -> int:
        """How many palindromes of this length there are."""
        return int(DIGITS**self.free_digits)

    @property
    def free_digits(self) -> int:
        """How many digits are drawn; the others mirror them."""
        return self._half(self.length)

    @property
    def overlaps(self) -> bool:
        """Whether training may draw members of the evaluation set: where it is over half of all there are."""
        return self.distinct < 2 * self.dev_size

    @property
    def fingerprint(self) -> str:
        """The rule's version and the length, which together decide the palindromes."""
        return f"{NAME}-{VERSION}-{self.length}"

    @cached_property
    def evaluation(self) -> np.ndarray:
        """(dev_size, length) digits; all different, unless they overlap with training anyway."""
        random = np.random.default_rng(derive_seed(0, "palindromes held out", self.length))
        drawn = self._draw(self.dev_size, self.length, random)
        while not self.overlaps and (repeated := _repeated(drawn)).any():
            drawn[repeated] = self._draw(int(repeated.sum()), self.length, random)
        return drawn

    @cached_property
    def _excluded(self) -> frozenset[bytes]:
        return frozenset() if self.overlaps else frozenset(row.tobytes() for row in self.evaluation)

    def training(self, count: int, length: int, random: np.random.Generator) -> np.ndarray:
        """Draw (count, length) digits; a `length` below the set's own is a step of a curriculum."""
        drawn = self._draw(count, length, random)
        while length == self.length and (held_out := self._is_held_out(drawn)).any():
            drawn[held_out] = self._draw(int(held_out.sum()), length, random)
        return drawn

    def _is_held_out(self, rows: np.ndarray) -> np.ndarray:
        return np.array([row.tobytes() in self._excluded for row in rows])

    @staticmethod
    def _half(length: int) -> int:
        return (length + 1) // 2

    @classmethod
    def _draw(cls, count: int, length: int, random: np.random.Generator) -> np.ndarray:
        half = random.integers(DIGITS, size=(count, cls._half(length)))
        return np.concatenate([half, half[:, : length // 2][:, ::-1]], axis=1)


def _repeated(rows: np.ndarray) -> np.ndarray:
    """(N,) whether each row equals an earlier one."""
    _, first = np.unique(rows, axis=0, return_index=True)
    repeated = np.ones(len(rows), dtype=bool)
    repeated[first] = False
    return repeated
