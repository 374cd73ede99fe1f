import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.waves import SAMPLINGS, Waves, draw_waves


def waves(sampling: str, seed: int = 0, count: int = 400) -> Waves:
    return draw_waves(count, sampling, np.random.default_rng(seed))


@given(st.sampled_from(["regular", "random"]), st.integers(0, 20), st.integers(1, 9))
def test_what_a_wave_is(sampling: str, seed: int, count: int) -> None:
    made = waves(sampling, seed, count)
    assert made.values.shape == made.times.shape == (count, made.lengths.max())
    assert (np.diff(made.times) >= 0).all()
    assert (made.times >= 0).all() and (made.times <= 125).all()
    assert (np.abs(made.values) <= 1).all()
    assert (made.lengths >= 15).all() and (made.lengths <= 125).all()
    assert abs(int(made.inside.sum()) - count / 2) <= 0.5
    for row, length in enumerate(made.lengths):
        assert (made.values[row, length:] == 0).all()
        assert (made.times[row, length:] == made.times[row, length - 1]).all()


@pytest.mark.parametrize("sampling", ["regular", "oversampled"])
def test_samples_come_at_a_fixed_resolution(sampling: str) -> None:
    made = waves(sampling, count=20)
    for row, length in enumerate(made.lengths):
        steps = np.diff(made.times[row, :length])
        np.testing.assert_allclose(steps, SAMPLINGS[sampling], rtol=1e-9)
        assert (
            15 - 1e-9
            <= (made.times[row, length - 1] - made.times[row, 0] + SAMPLINGS[sampling])
            <= 125 + 1e-9
        )


def periods(made: Waves) -> np.ndarray:
    """Fitted to the samples: sine and cosine of the right period explain all of a wave."""
    grid = np.exp(np.linspace(0, np.log(100), 4_000))
    found = []
    for values, times, length in zip(made.values, made.times, made.lengths, strict=True):
        y, t = values[:length], times[:length]
        angle = 2 * np.pi * t[None] / grid[:, None]
        design = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        normal = design.transpose(0, 2, 1) @ design + 1e-9 * np.eye(2)
        weights = np.linalg.solve(normal, design.transpose(0, 2, 1) @ y[:, None])
        found.append(grid[np.square(design @ weights - y[:, None]).sum((1, 2)).argmin()])
    return np.array(found)


def test_the_class_is_that_of_the_period() -> None:
    made = waves("random", count=120)
    found = periods(made)
    target = (found >= 4.97) & (found <= 6.03)
    assert (target == (made.inside == 1)).mean() > 0.97  # a short, slow wave cannot always be told
    assert found.min() < 2 and found.max() > 50


def test_the_same_generator_gives_the_same_waves() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(waves("random", 3), waves("random", 3), strict=True))
    assert not np.array_equal(waves("random", 3).lengths, waves("random", 4).lengths)
