from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.batch import Batch, TextBatches
from tangsweep.batches.encode import encode_poems
from tangsweep.batches.encoded_text import EncodedSequences
from tangsweep.batches.poems import (
    IndexedBatches,
    PaddedSequences,
    PoemBatches,
    bucket_by_length,
    longest_first,
)
from tangsweep.corpora.vocabulary import OOV
from tests.batches.small_corpora import corpus, data_options, options

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
    assert PoemBatches(encoded, data_options(score_pads=score), 0).pad == pad


class TestSingletons:
    TEXTS = ("甲乙甲。", "乙丙丁。", "戊己庚辛壬癸子丑。", "甲乙。")

    def batches(self, oov: str, seed: int = 0) -> PoemBatches:
        encoded = encode_poems(corpus(*self.TEXTS), options(train_poems=3))
        return PoemBatches(encoded, data_options(oov=oov, batch_size=3), seed)

    def ids(self, batches: PoemBatches, epoch: int) -> np.ndarray:
        [batch] = batches.train_batches(epoch)
        inputs, targets = batch.inputs.sort(dim=0).values, batch.targets.sort(dim=0).values
        return np.concatenate([inputs.numpy().ravel(), targets.numpy().ravel()])

    def test_half_of_those_that_occur_once_and_others_in_each_epoch(self) -> None:
        batches = self.batches("singletons")
        encoded = encode_poems(corpus(*self.TEXTS), options(train_poems=3))
        once = {encoded.vocabulary.encode(c)[0] for c in "丙丁戊己庚辛壬癸子丑"}
        counts = dict.fromkeys(once, 0)
        for epoch in range(400):
            [batch] = batches.train_batches(epoch)
            targets = batch.targets[batch.targets >= 0].tolist()
            replaced = [id for id in once if id not in targets]
            assert targets.count(OOV) == len(replaced) == int((batch.inputs == OOV).sum())
            assert {encoded.vocabulary.encode(c)[0] for c in "甲乙。"} <= set(targets)
            for id in replaced:
                counts[id] += 1
        assert all(150 < count < 250 for count in counts.values())
        drawn = [self.ids(batches, epoch).tolist() for epoch in range(4)]
        assert len({tuple(ids) for ids in drawn}) == 4

    def test_they_follow_from_seed_and_epoch_alone(self) -> None:
        first, again, other = (
            self.batches("singletons"),
            self.batches("singletons"),
            self.batches("singletons", 1),
        )
        first.train_batches(0)
        assert (self.ids(first, 3) == self.ids(again, 3)).all()
        assert (self.ids(first, 3) != self.ids(other, 3)).any()

    def test_evaluation_and_never_replace_nothing(self) -> None:
        batches, never = self.batches("singletons"), self.batches("never")
        for name in ("train", "dev"):
            pairs = zip(batches.evaluation_sets()[name], never.evaluation_sets()[name], strict=True)
            assert all((a.targets == b.targets).all() and (a.inputs == b.inputs).all() for a, b in pairs)
        [batch] = never.train_batches(5)
        assert OOV not in batch.inputs and OOV not in batch.targets


def test_each_row_of_a_held_out_batch_names_its_poem() -> None:
    encoded = encode_poems(
        corpus("甲。", "甲乙，丙丁。戊己，庚辛。", "甲。", "子丑寅卯。"),
        options(train_poems=1, duplicates="keep", max_chars=6),
    )
    held_out = PoemBatches(encoded, data_options(), 0).evaluation_sets()["dev"]
    assert isinstance(held_out, TextBatches)
    assert held_out.targets.tolist() == encoded.dev.targets.tolist()
    assert Counter(held_out.documents.tolist()) == {0: 13, 1: 3, 2: 6}
    [batch] = held_out
    for row, first in zip(batch.targets.tolist(), held_out.first_targets(0).tolist(), strict=True):
        targets = [target for target in row if target >= 0]
        assert held_out.targets[first : first + len(targets)].tolist() == targets
