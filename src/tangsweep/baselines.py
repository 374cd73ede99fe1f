"""Perplexities that need no training, on the same split: what a model must beat to have learned.

All are exp(total nats / scored characters) over the development set, as for the models.
"""

from typing import Protocol

import numpy as np


class Sequences(Protocol):
    """Sequences of ids end to end; `targets` are all ids but the first of each sequence."""

    @property
    def ids(self) -> np.ndarray: ...
    @property
    def starts(self) -> np.ndarray: ...
    @property
    def targets(self) -> np.ndarray: ...


def perplexities(train: Sequences, dev: Sequences, vocabulary: int) -> dict[str, float]:
    """`uniform` (the vocabulary's size), `unigram` and interpolated `bigram` perplexity."""
    unigram = unigram_probabilities(train.targets, vocabulary)
    bigram = bigram_probabilities(train, dev, unigram)
    return {
        "uniform": float(vocabulary),
        "unigram": _perplexity(unigram[dev.targets]),
        "bigram": _perplexity(bigram),
    }


def _perplexity(probabilities: np.ndarray) -> float:
    return float(np.exp(-np.log(probabilities).mean()))


def unigram_probabilities(targets: np.ndarray, vocabulary: int) -> np.ndarray:
    """(vocabulary,) relative frequencies with one added to each count (Laplace)."""
    counts = np.bincount(targets, minlength=vocabulary) + 1.0
    return counts / counts.sum()


def bigram_probabilities(train: Sequences, dev: Sequences, unigram: np.ndarray) -> np.ndarray:
    """(dev characters,) probability of each development target given the character before it.

    Witten and Bell's interpolation (Bell, Cleary and Witten 1990): with n(a) occurrences of context
    a and d(a) distinct successors, p(b | a) = (n(ab) + d(a) · p(b)) / (n(a) + d(a)); p(b) where a
    was never seen.
    """
    vocabulary = len(unigram)
    pairs, pair_counts = np.unique(_pairs(train, vocabulary), return_counts=True)
    contexts = pairs // vocabulary
    followers = np.bincount(contexts, minlength=vocabulary)
    totals = np.bincount(contexts, weights=pair_counts, minlength=vocabulary)
    wanted = _pairs(dev, vocabulary)
    places = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    seen = np.where(pairs[places] == wanted, pair_counts[places], 0)
    context, target = wanted // vocabulary, wanted % vocabulary
    weight = np.maximum(totals[context] + followers[context], 1)
    mixed = (seen + followers[context] * unigram[target]) / weight
    return np.where(followers[context] > 0, mixed, unigram[target])


def _pairs(sequences: Sequences, vocabulary: int) -> np.ndarray:
    """(scored characters,) context id · vocabulary + target id."""
    contexts = np.delete(sequences.ids, sequences.starts[1:] - 1).astype(np.int64)
    return contexts * vocabulary + sequences.targets
