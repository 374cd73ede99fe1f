import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.batches.palindromes import Palindromes


def drawn(length: int, count: int = 300, held_out: int = 50, seed: int = 0) -> np.ndarray:
    return Palindromes(length, held_out).training(count, length, np.random.default_rng(seed))


@given(st.integers(2, 40), st.integers(0, 5))
def test_digits_read_alike_from_both_ends(length: int, seed: int) -> None:
    rows = drawn(length, seed=seed)
    assert rows.shape == (300, length)
    assert (rows == rows[:, ::-1]).all()
    assert rows.min() == 0 and rows.max() == 9


@pytest.mark.parametrize("length", [5, 6, 7])
def test_training_never_draws_the_evaluation_set(length: int) -> None:
    made = Palindromes(length, 400)
    held = {tuple(row) for row in made.evaluation}
    assert len(held) == 400
    assert not made.overlaps
    trained = {tuple(row) for row in made.training(20_000, length, np.random.default_rng(1))}
    assert not held & trained
    assert len(trained) == made.distinct - 400 if length < 7 else len(trained) > 5_000


def test_few_palindromes_overlap_and_say_so() -> None:
    made = Palindromes(5, 10_000)
    assert made.distinct == 1_000
    assert made.overlaps
    assert made.evaluation.shape == (10_000, 5)
    assert made.training(128, 5, np.random.default_rng(0)).shape == (128, 5)


def test_the_evaluation_set_is_fixed() -> None:
    assert np.array_equal(Palindromes(20, 100).evaluation, Palindromes(20, 100).evaluation)
    assert not np.array_equal(Palindromes(21, 100).evaluation[:, :20], Palindromes(20, 100).evaluation)


def test_fingerprints_tell_lengths_apart() -> None:
    assert Palindromes(5, 10).fingerprint != Palindromes(6, 10).fingerprint


def test_every_digit_is_as_likely() -> None:
    counts = np.bincount(drawn(30, count=20_000)[:, -1], minlength=10)
    assert abs(counts - 2_000).max() < 250  # six standard deviations
