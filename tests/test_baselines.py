"""Against a slow, obvious count over dictionaries."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep import baselines
from tangsweep.batches.encoded_text import EncodedSequences

V = 9
texts = st.lists(st.lists(st.integers(3, V - 1), min_size=1, max_size=8), min_size=1, max_size=8)


def sequences(rows: list[list[int]]) -> EncodedSequences:
    rows = [[2, *row] for row in rows]  # <bos>
    starts = np.cumsum([0, *map(len, rows)])
    return EncodedSequences(np.concatenate(rows).astype(np.int32), starts)


@given(texts, texts)
def test_against_counting(train: list[list[int]], dev: list[list[int]]) -> None:
    singles = Counter(c for row in train for c in row)
    pairs = Counter(pair for row in train for pair in zip([2, *row], row, strict=False))
    total = sum(singles.values())

    def unigram(b: int) -> float:
        return (singles[b] + 1) / (total + V)

    def bigram(a: int, b: int) -> float:
        followers = {y for x, y in pairs if x == a}
        seen = sum(n for (x, _), n in pairs.items() if x == a)
        if not seen:
            return unigram(b)
        return (pairs[a, b] + len(followers) * unigram(b)) / (seen + len(followers))

    targets = [c for row in dev for c in row]
    transitions = [pair for row in dev for pair in zip([2, *row], row, strict=False)]

    def perplexity(probabilities: list[float]) -> float:
        return math.exp(-sum(map(math.log, probabilities)) / len(probabilities))

    got = baselines.baseline_perplexities(sequences(train), sequences(dev), V)
    assert got["uniform"] == V
    assert got["unigram"] == pytest.approx(perplexity([unigram(b) for b in targets]))
    assert got["bigram"] == pytest.approx(perplexity([bigram(a, b) for a, b in transitions]))


@given(texts)
def test_bigram_probabilities_sum_to_one(train: list[list[int]]) -> None:
    unigram = baselines.unigram_probabilities(sequences(train).targets, V)
    every_pair = EncodedSequences(
        np.array([[a, b] for a in range(V) for b in range(V)], dtype=np.int32).ravel(),
        np.arange(0, 2 * V * V + 1, 2),
    )
    got = baselines.bigram_probabilities(sequences(train), every_pair, unigram)
    np.testing.assert_allclose(got.reshape(V, V).sum(1), 1)
