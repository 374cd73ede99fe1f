import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.analytic.softmax import cross_entropy, cross_entropy_gradient


@given(st.integers(0, 10**6), st.sampled_from([1.0, 30.0, 1e4]))
def test_against_torch_for_logits_of_any_size(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)
    logits = (random.uniform(-size, size, (5, 7))).astype(np.float32)
    targets = random.integers(7, size=5)
    nats, probabilities = cross_entropy(logits, targets)
    assert nats.dtype == np.float32
    z = torch.from_numpy(logits).double().requires_grad_()
    theirs = torch.nn.functional.cross_entropy(z, torch.from_numpy(targets), reduction="none")
    np.testing.assert_allclose(nats, theirs.detach(), rtol=1e-5, atol=1e-6)
    weights = random.random(5).astype(np.float32)
    theirs.backward(torch.from_numpy(weights).double())
    ours = cross_entropy_gradient(probabilities, targets, weights)
    np.testing.assert_allclose(ours, z.grad, atol=1e-6)


def test_extremes_stay_finite_and_nan_stays_nan() -> None:
    nats, probabilities = cross_entropy(np.array([[1e4, -1e4]], np.float32), np.array([1]))
    assert nats.tolist() == [2e4]
    assert probabilities.tolist() == [[1, 0]]
    nats, probabilities = cross_entropy(np.array([[np.nan, 0, 1]]), np.array([1]))
    assert np.isnan(nats).all()
    assert np.isnan(probabilities).all()


def test_lengths_that_differ_are_named() -> None:
    logits = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r"targets: expected shape \(3\), got \(1,\)"):
        cross_entropy(logits, np.zeros(1, int))
    with pytest.raises(ValueError, match=r"weights: expected shape \(3\), got \(1,\)"):
        cross_entropy_gradient(logits, np.zeros(3, int), np.zeros(1))
