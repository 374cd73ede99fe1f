"""Softmax cross-entropy and its derivative, in nats, stable for logits of any size."""

import numpy as np

from tangsweep.analytic.shapes import expect

NOT_SCORED = -1  # a target at which no loss stands


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nats (N,) of each row's target, and the probabilities (N, V), from logits (N, V).

    nats = ln Σ_j exp z_j − z_y (equation 21 of docs/gradients.md). The row's maximum is subtracted
    first, so that nothing overflows; NaN in gives NaN out.
    """
    expect("logits", logits, None, None)
    expect("targets", targets, len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    total = probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(len(targets))
    nats = np.log(total[:, 0]) - shifted[rows, targets]
    probabilities /= total
    return nats, probabilities


def cross_entropy_gradient(probabilities: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """∂(Σ_n weights_n · nats_n)/∂z (N, V) = weights · (p − 1_y), equation 22; overwrites `probabilities`."""
    expect("targets", targets, len(probabilities))
    expect("weights", weights, len(probabilities))
    probabilities *= weights[:, None]
    probabilities[np.arange(len(targets)), targets] -= weights
    return probabilities
