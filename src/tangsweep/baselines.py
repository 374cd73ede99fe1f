"""Perplexities of n-gram baselines, which a trained model should beat.

Each is exp(total nats / scored characters) over the development set, as for the models.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BASELINES = ("uniform", "unigram", "bigram")  # their names in records, weakest first
KNOWN_BASELINES = tuple(f"{name}_known_{baseline}" for name in ("dev", "test") for baseline in BASELINES[1:])

Ids = NDArray[np.integer]
Probabilities = NDArray[np.float64]


class TokenSequences(Protocol):
    """Sequences of ids, one after another in one array."""

    @property
    def ids(self) -> Ids: ...
    @property
    def starts(self) -> Ids: ...  # where each sequence begins in `ids`, and where the last one ends
    @property
    def targets(self) -> Ids: ...  # all ids but the first of each sequence


def baseline_perplexities(
    train: TokenSequences, dev: TokenSequences, vocabulary: int
) -> dict[str, float | None]:
    """Return the perplexities `uniform` (the size of the vocabulary), `unigram` and `bigram` of `dev`.

    The type is that of a run's record, in which tasks without text have None.
    """
    unigram = unigram_probabilities(train.targets, vocabulary)
    bigram = bigram_probabilities(train, dev, unigram)
    return {
        "uniform": float(vocabulary),
        "unigram": _perplexity(unigram[dev.targets]),
        "bigram": _perplexity(bigram),
    }


def known_baselines(
    name: str, train: TokenSequences, held_out: TokenSequences, vocabulary: int, oov: int
) -> dict[str, float | None]:
    """Return perplexities of the set `name` over the characters that are not `oov`.

    The keys are `test_known_unigram` and `test_known_bigram` for the set `test`; None where all are `oov`.
    """
    unigram = unigram_probabilities(train.targets, vocabulary)
    is_known = held_out.targets != oov
    probabilities = {
        "unigram": unigram[held_out.targets],
        "bigram": bigram_probabilities(train, held_out, unigram),
    }
    return {
        f"{name}_known_{baseline}": _perplexity(of_targets[is_known]) if is_known.any() else None
        for baseline, of_targets in probabilities.items()
    }


def _perplexity(probabilities: Probabilities) -> float:
    return float(np.exp(-np.log(probabilities).mean()))


def unigram_probabilities(targets: Ids, vocabulary: int) -> Probabilities:
    """Return relative frequencies (vocabulary,), with one added to each count (Laplace)."""
    counts = np.bincount(targets, minlength=vocabulary) + 1.0
    probabilities: Probabilities = counts / counts.sum()
    return probabilities


def bigram_probabilities(train: TokenSequences, dev: TokenSequences, unigram: Probabilities) -> Probabilities:
    """Return the probability of each target of `dev`, given the character before it.

    Witten and Bell's interpolation (Bell, Cleary and Witten 1990): for n(a) occurrences of the context a with
    d(a) distinct successors, p(b | a) = (n(ab) + d(a) · p(b)) / (n(a) + d(a)). It is p(b) where a does not
    occur in `train`.
    """
    vocabulary = len(unigram)
    pairs, pair_counts = np.unique(_pairs(train, vocabulary), return_counts=True)
    train_contexts = pairs // vocabulary
    successors = np.bincount(train_contexts, minlength=vocabulary)
    totals = np.bincount(train_contexts, weights=pair_counts, minlength=vocabulary)
    dev_pairs = _pairs(dev, vocabulary)
    nearest = np.minimum(np.searchsorted(pairs, dev_pairs), len(pairs) - 1)
    counts = np.where(pairs[nearest] == dev_pairs, pair_counts[nearest], 0)
    context, target = dev_pairs // vocabulary, dev_pairs % vocabulary
    weight = np.maximum(totals[context] + successors[context], 1)
    interpolated = (counts + successors[context] * unigram[target]) / weight
    return np.where(successors[context] > 0, interpolated, unigram[target])


def _pairs(sequences: TokenSequences, vocabulary: int) -> Ids:
    """Return context id · vocabulary + target id for each scored character."""
    contexts = np.delete(sequences.ids, sequences.starts[1:] - 1).astype(np.int64)
    return contexts * vocabulary + sequences.targets
