from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.batch import Batch
from tangsweep.batches.windows import (
    ContiguousWindows,
    IndependentWindows,
    RandomWindows,
    StepwiseBatches,
    evaluation_windows,
)


@given(st.integers(2, 200), st.integers(1, 9), st.integers(1, 40))
def test_contiguous_windows_score_every_character_once(count: int, rows: int, seq_len: int) -> None:
    ids = np.random.default_rng(0).integers(0, 50, count).astype(np.int32)
    windows = ContiguousWindows(ids, rows, seq_len)
    pairs: Counter[tuple[int, int]] = Counter()
    for batch in windows:
        scored = batch.targets >= 0
        assert batch.inputs.shape[1] <= seq_len
        pairs.update(zip(batch.inputs[scored].tolist(), batch.targets[scored].tolist(), strict=True))
    assert pairs == Counter(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))


def test_contiguous_windows_continue_where_the_last_ended() -> None:
    windows = ContiguousWindows(np.arange(21, dtype=np.int32), 2, 4)
    batches = [windows.window(number) for number in range(4)]
    assert batches[0].inputs.tolist() == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert batches[1].inputs.tolist() == [[4, 5, 6, 7], [14, 15, 16, 17]]
    assert batches[2].targets.tolist() == [[9, 10], [19, 20]]
    assert [batch.carry for batch in batches] == [False, True, True, False]
    assert torch.equal(batches[3].inputs, batches[0].inputs)


def test_random_windows_are_parts_of_the_text_drawn_from_seed_and_step() -> None:
    ids = np.arange(100, dtype=np.int32)
    batch = RandomWindows(ids, 64, 7, seed=3).window(5)
    assert batch.inputs.shape == batch.targets.shape == (64, 7)
    assert torch.equal(batch.targets, batch.inputs + 1)
    assert torch.equal(batch.inputs[:, 1:], batch.inputs[:, :-1] + 1)
    assert not batch.carry
    assert torch.equal(RandomWindows(ids, 64, 7, seed=3).window(5).inputs, batch.inputs)
    for other in (RandomWindows(ids, 64, 7, seed=4).window(5), RandomWindows(ids, 64, 7, seed=3).window(6)):
        assert not torch.equal(other.inputs, batch.inputs)
    starts = torch.cat([RandomWindows(ids, 64, 7, 0).window(step).inputs[:, 0] for step in range(40)])
    assert set(starts.tolist()) == set(range(93))  # the last target may be the last character


def test_evaluation_windows_have_a_fixed_size() -> None:
    batches = list(evaluation_windows(np.arange(5_000, dtype=np.int32)))
    assert batches[0].inputs.shape == (16, 100)
    assert [b.carry for b in batches] == [False, True, True, True]


def test_independent_windows_use_every_character_that_fills_a_window() -> None:
    batches = list(IndependentWindows(np.arange(1_300, dtype=np.int32), 4))
    assert [batch.inputs.shape for batch in batches] == [(256, 4), (4, 4)]
    assert torch.cat([batch.inputs[:, 0] for batch in batches]).tolist() == list(range(0, 1_300, 5))
    for batch in batches:
        assert torch.equal(batch.targets, batch.inputs + 1)
        assert not batch.carry


def test_an_epoch_is_a_range_of_steps() -> None:
    stepwise = StepwiseBatches(
        lambda step: Batch(torch.tensor([[step]]), torch.tensor([[0]])), 3, {"dev": []}
    )
    batches = stepwise.train_batches(0)
    assert len(batches) == 3
    assert [batch.inputs.item() for batch in batches] == [0, 1, 2]
    assert [batch.inputs.item() for batch in stepwise.train_batches(2)] == [6, 7, 8]
