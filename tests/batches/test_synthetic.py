import numpy as np
import pytest
import torch

from tangsweep.batches.palindromes import palindrome_batch
from tangsweep.batches.synthetic import split_batch
from tangsweep.batches.waves import draw_waves, wave_batch


def test_all_digits_but_the_last_are_read_and_only_the_last_is_scored() -> None:
    batch = palindrome_batch(np.array([[1, 2, 3, 2, 1], [4, 5, 6, 5, 4]]))
    assert batch.inputs.tolist() == [[1, 2, 3, 2], [4, 5, 6, 5]]
    assert batch.targets.tolist() == [[-1, -1, -1, 1], [-1, -1, -1, 4]]
    assert (batch.times, batch.carry) == (None, False)


@pytest.mark.parametrize("time_input", [True, False])
def test_a_wave_is_scored_at_its_last_sample(time_input: bool) -> None:
    waves = draw_waves(6, "random", np.random.default_rng(0))
    batch = wave_batch(waves, time_input)
    assert batch.inputs.shape == (6, waves.lengths.max(), 2 if time_input else 1)
    assert batch.inputs.dtype == batch.times.dtype == torch.float32
    np.testing.assert_allclose(batch.inputs[..., 0], waves.values, atol=1e-6)
    if time_input:
        assert torch.equal(batch.inputs[..., 1], batch.times)
    np.testing.assert_allclose(batch.times, waves.times, rtol=1e-6)
    rows, places = np.nonzero(batch.targets.numpy() >= 0)
    assert (rows.tolist(), places.tolist()) == (list(range(6)), (waves.lengths - 1).tolist())
    assert batch.targets[rows, places].tolist() == waves.inside.tolist()


def test_split_keeps_every_row_in_order() -> None:
    waves = draw_waves(7, "regular", np.random.default_rng(0))
    batch = wave_batch(waves, True)
    parts = split_batch(batch, 3 * batch.inputs.shape[1] + 1)
    assert [len(part.inputs) for part in parts] == [3, 3, 1]
    for field in range(3):
        assert torch.equal(torch.cat([part[field] for part in parts]), batch[field])
    assert all(part.times is None for part in split_batch(palindrome_batch(np.ones((4, 3), int)), 3))
