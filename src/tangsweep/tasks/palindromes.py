"""Palindromes: a model reads all digits but the last and predicts the last, which is the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tangsweep.config.data_options import CorpusOptions, StreamDataOptions
from tangsweep.config.options import option
from tangsweep.config.run_config import RunConfig
from tangsweep.config.value_types import AtLeastTwo, NaturalNumber
from tangsweep.randomness import derive_seed
from tangsweep.tasks.synthetic import EncodedExamples, SyntheticCorpus, split_batch, synthetic_facts
from tangsweep.tasks.task import Task

if TYPE_CHECKING:
    from tangsweep.batches.batch import Batch, RunBatches

NAME = "palindromes"
DIGITS = 10
VERSION = 1  # raise it whenever the same settings would give other digits
SHORTEST = 5  # where a curriculum begins


class PalindromeCorpusOptions(CorpusOptions):
    """`corpus=palindromes`."""

    length: AtLeastTwo = option("digits of a palindrome")
    curriculum: NaturalNumber = option(
        "steps over which the longest length rises from 5 to `length`; 0: always `length`"
    )


PalindromeConfig = RunConfig[PalindromeCorpusOptions, StreamDataOptions]


class PalindromeTask(Task[SyntheticCorpus, EncodedExamples, PalindromeConfig]):
    """How long can a cell remember one digit?"""

    corpus_options = PalindromeCorpusOptions
    data_options = StreamDataOptions
    data_file = "stream"
    inputs = ("one_hot", "embedding")

    def find_corpora(self, configs: Sequence[PalindromeConfig]) -> list[SyntheticCorpus]:
        return [SyntheticCorpus(NAME, _palindromes(config).fingerprint) for config in configs]

    def encode(self, corpus: SyntheticCorpus, config: PalindromeConfig) -> EncodedExamples:
        palindromes = _palindromes(config)
        facts = synthetic_facts(
            corpus.fingerprint,
            palindromes.dev_size,
            DIGITS,
            "digits",
            length=palindromes.length,
            distinct=f"{DIGITS}^{palindromes.free_digits}",
            dev_overlaps_training=palindromes.overlaps,
        )
        tokens = [str(digit) for digit in range(DIGITS)]
        return EncodedExamples(tokens, DIGITS, facts, {"uniform": float(DIGITS)})

    def describe_corpus(
        self, corpus: SyntheticCorpus, encoded: EncodedExamples, config: PalindromeConfig
    ) -> str:
        palindromes = _palindromes(config)
        warning = (
            f"; there are only {palindromes.distinct:,} palindromes of this length, so training draws some "
            "of the evaluation set as well"
            if palindromes.overlaps
            else "; training never draws one of them"
        )
        return (
            f"corpus {NAME} of {palindromes.length} digits, drawn without end; evaluated on "
            f"{palindromes.dev_size:,}{warning}"
        )

    def batches(self, encoded: EncodedExamples, config: PalindromeConfig) -> "RunBatches":
        from tangsweep.batches.windows import StepwiseBatches

        palindromes, seed = _palindromes(config), config.seed
        rows, curriculum = config.data.batch_size, config.corpus.curriculum

        def draw(step: int) -> "Batch":
            random = np.random.default_rng(derive_seed(seed, NAME, step))
            length = length_at(step, palindromes.length, curriculum, random)
            return palindrome_batch(palindromes.training(rows, length, random))

        evaluation_sets = {"dev": split_batch(palindrome_batch(palindromes.evaluation))}
        assert config.trainer.val_every is not None
        return StepwiseBatches(draw, config.trainer.val_every, evaluation_sets)


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


def _palindromes(config: PalindromeConfig) -> "Palindromes":
    return Palindromes(config.corpus.length, config.data.dev_size)


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
