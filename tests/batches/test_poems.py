from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.batch import Batch
from tangsweep.batches.encoded_text import EncodedSequences, encode_poems
from tangsweep.batches.poems import (
    IndexedBatches,
    PaddedSequences,
    PoemBatches,
    bucket_by_length,
    longest_first,
)
from tests.batches.small_corpora import corpus, options

row_lists = st.lists(st.lists(st.integers(3, 20), min_size=1, max_size=15), min_size=1, max_size=70)


def sequences(rows: list[list[int]]) -> EncodedSequences:
    rows = [[2, *row] for row in rows]
    starts = np.cumsum([0, *map(len, rows)])
    return EncodedSequences(np.concatenate(rows).astype(np.int32), starts)


def scored(batches: IndexedBatches) -> Counter[tuple[int, int]]:
    """(input, target) of every scored position."""
    pairs: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        mask = batch.targets >= 0
        pairs.update(zip(batch.inputs[mask].tolist(), batch.targets[mask].tolist(), strict=True))
    return pairs


@given(row_lists, st.integers(1, 9), st.integers(0, 3), st.sampled_from([None, 16]))
def test_every_character_exactly_once_an_epoch(
    rows: list[list[int]], size: int, epoch: int, width: int | None
) -> None:
    data = sequences(rows)
    expected = Counter(pair for row in rows for pair in zip([2, *row], row, strict=False))
    padded = PaddedSequences(data, width, score_pads=False)
    order = bucket_by_length(padded.lengths, size, seed=1, epoch=epoch)
    assert scored(IndexedBatches(padded, order)) == expected
    assert scored(longest_first(padded)) == expected
    assert all(len(batch) <= size for batch in order)


def test_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 300)

    def flat(seed: int, epoch: int) -> list[int]:
        return np.concatenate(bucket_by_length(lengths, 8, seed, epoch)).tolist()

    assert flat(1, 2) == flat(1, 2)
    assert flat(1, 2) != flat(1, 3)
    assert flat(1, 2) != flat(2, 2)


def test_buckets_need_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 3_000)
    size = sum(len(b) * lengths[b].max() for b in bucket_by_length(lengths, 32, 0, 0))
    unsorted = np.random.default_rng(1).permutation(3_000).reshape(-1, 30)
    assert size < 0.65 * sum(len(b) * lengths[b].max() for b in unsorted)
    assert size < 1.1 * lengths.sum()


def test_padding_to_the_batch_or_to_a_fixed_width() -> None:
    data = sequences([[5, 6, 7], [8]])
    batch = PaddedSequences(data, None, False).batch(np.array([1]))
    assert batch == Batch(*(torch.tensor(t) for t in ([[2]], [[8]])))
    wide = PaddedSequences(data, 5, False).batch(np.array([0, 1]))
    assert wide.inputs.tolist() == [[2, 5, 6, 0, 0], [2, 0, 0, 0, 0]]
    assert wide.targets.tolist() == [[5, 6, 7, -1, -1], [8, -1, -1, -1, -1]]


def test_scored_padding_is_a_target() -> None:
    wide = PaddedSequences(sequences([[5, 6]]), 4, True).batch(np.array([0]))
    assert wide.targets.tolist() == [[5, 6, 0, 0]]


@pytest.mark.parametrize(("score", "pad"), [(True, 0), (False, None)])
def test_pad_is_the_target_of_padding_if_it_is_scored(score: bool, pad: int | None) -> None:
    encoded = encode_poems(corpus("甲乙。", "丙丁。", "甲。"), options())
    assert PoemBatches(encoded, 2, 0, None, score).pad == pad
