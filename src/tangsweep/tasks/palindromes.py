"""Palindromes: read all digits but the last, and say the last, which is the first."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tangsweep.config import rules
from tangsweep.config.identity import flatten
from tangsweep.config.rules import one_of
from tangsweep.corpora.palindromes import DIGITS, NAME, Palindromes
from tangsweep.randomness import derive
from tangsweep.tasks.drawn import Drawn, Rule, WithoutText
from tangsweep.tasks.task import Config

RULES = {
    "corpus.length": rules.FROM_2,
    "corpus.curriculum": rules.NATURAL,
    "data.dev_size": rules.COUNT,
    "model.input": one_of("one_hot", "embedding"),
    "trainer.val_every": rules.COUNT,
}
SHORTEST = 5  # where a curriculum begins


class PalindromeTask(WithoutText):
    """How long can a cell remember one digit?"""

    def check(self, config: Config) -> None:
        rules.hold(RULES, dict(flatten(config)), data="stream")

    def resolve(self, configs: Sequence[Config]) -> list[Rule]:
        return [Rule(NAME, _set(config).fingerprint) for config in configs]

    def encode(self, corpus: Rule, config: Config) -> Drawn:
        held_out = _set(config)
        size, length = held_out.held_out, held_out.length
        facts = {
            "characters": {"train": None, "dev": size},  # scored: one digit a palindrome
            "sequences": {"train": None, "dev": size},
            "vocabulary": DIGITS,
            "length": length,
            "distinct": f"10^{(length + 1) // 2}",  # how many palindromes of this length there are
            "dev_overlaps_training": held_out.overlaps,
            "dev_fingerprint": f"{corpus.fingerprint}-{size}",
            "vocabulary_fingerprint": "digits",
            "split_fingerprint": f"{corpus.fingerprint}-{size}",
            "baselines": {"uniform": float(DIGITS)},
        }
        return Drawn([str(digit) for digit in range(DIGITS)], DIGITS, facts)

    def found(self, corpus: Rule, encoded: Drawn, config: Config) -> str:
        held_out = _set(config)
        warning = (
            f"; there are only {held_out.distinct:,} palindromes of this length, so training draws some "
            "of the evaluation set as well"
            if held_out.overlaps
            else "; training never draws one of them"
        )
        return (
            f"corpus {NAME} of {held_out.length} digits, drawn without end; evaluated on "
            f"{held_out.held_out:,}{warning}"
        )

    def data(self, encoded: Drawn, config: Config) -> Any:
        from tangsweep.batches.batch import Batch
        from tangsweep.batches.last_step import cut, of_palindromes
        from tangsweep.batches.stepwise import Stepwise

        held_out, seed = _set(config), config["seed"]
        rows, curriculum = config["data"]["batch_size"], config["corpus"]["curriculum"]

        def draw(step: int) -> Batch:
            random = np.random.default_rng(derive(seed, NAME, step))
            length = length_at(step, held_out.length, curriculum, random)
            return of_palindromes(held_out.training(rows, length, random))

        sides = {"dev": cut(of_palindromes(held_out.evaluation))}
        return Stepwise(draw, config["trainer"]["val_every"], sides)


def length_at(step: int, length: int, curriculum: int, random: np.random.Generator) -> int:
    """How long palindromes are at `step`, counted from 0.

    With a curriculum drawn from 5 to a limit, which rises from 5 to `length` over `curriculum` steps and
    stays there; without one (0), or below 5, always `length`.
    """
    if not curriculum or length <= SHORTEST:
        return length
    limit = min(length, SHORTEST + (length - SHORTEST) * step // curriculum)
    return int(random.integers(SHORTEST, limit + 1))


def _set(config: Config) -> Palindromes:
    return Palindromes(config["corpus"]["length"], config["data"]["dev_size"])
