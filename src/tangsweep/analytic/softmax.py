"""Softmax cross-entropy and its derivative, in nats, stable for logits of any size."""

import numpy as np

from tangsweep.analytic.shapes import FloatArray, IdArray, expect_shape

NOT_SCORED = -1  # the target of a position that has no loss


def cross_entropy(logits: FloatArray, targets: IdArray) -> tuple[FloatArray, FloatArray]:
    """Return the nats (N,) of each row's target, and the probabilities (N, V), from logits (N, V).

    nats = ln Σ_j exp z_j − z_y (equation 21 of docs/gradients.md). The row's maximum is subtracted
    first, so that nothing overflows; NaN in gives NaN out.
    """
    expect_shape("logits", logits, None, None)
    expect_shape("targets", targets, len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    total = probabilities.sum(axis=1, keepdims=True)
    rows = np.arange(len(targets))
    nats = np.log(total[:, 0]) - shifted[rows, targets]
    probabilities /= total
    return nats, probabilities


def cross_entropy_gradient(probabilities: FloatArray, targets: IdArray, weights: FloatArray) -> FloatArray:
    """Return ∂(Σ_n weights_n · nats_n)/∂z = weights · (p − 1_y), (N, V), in place of `probabilities`.

    Equation 22 of docs/gradients.md.
    """
    expect_shape("targets", targets, len(probabilities))
    expect_shape("weights", weights, len(probabilities))
    probabilities *= weights[:, None]
    probabilities[np.arange(len(targets)), targets] -= weights
    return probabilities
