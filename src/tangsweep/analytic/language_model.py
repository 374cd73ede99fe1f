"""The language model in NumPy: embedding → LSTM → output layer → cross-entropy, and every gradient.

Equation numbers are those of docs/gradients.md. Only scored positions reach the output layer.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic import lstm
from tangsweep.analytic.shapes import FloatArray, IdArray, expect_ids, expect_nonempty, expect_shape
from tangsweep.analytic.softmax import NOT_SCORED, cross_entropy, cross_entropy_gradient


class Weights(NamedTuple):
    """The model's parameters, or their gradients."""

    embedding: FloatArray  # (V, E)
    cell: lstm.Parameters
    output: FloatArray  # (V, H)
    bias: FloatArray  # (V)


class ForwardCache(NamedTuple):
    """The values of a forward pass that the backward pass needs."""

    inputs: IdArray  # (T, B)
    targets: IdArray  # (T, B), −1 where not scored
    trace: lstm.Trace
    hidden: FloatArray  # (N, H), hidden states at the N scored positions
    probabilities: FloatArray  # (N, V)


class Gradients(NamedTuple):
    """The gradients of the parameters and of the initial state."""

    weights: Weights
    h0: FloatArray  # (B, H)
    c0: FloatArray  # (B, H)


def forward(
    weights: Weights, inputs: IdArray, targets: IdArray, h0: FloatArray, c0: FloatArray
) -> tuple[FloatArray, ForwardCache]:
    """Return the cross-entropy in nats (T, B) of every target, 0 where it is −1, and what `backward` needs.

    `inputs` and `targets` are ids, (T, B). Raises ValueError, naming the array, where shapes do not fit.
    """
    check_shapes(weights, inputs, targets)
    trace = lstm.forward(weights.cell, weights.embedding[inputs], h0, c0)
    scored = targets != NOT_SCORED
    hidden = trace.h[1:][scored]
    per_target, probabilities = cross_entropy(hidden @ weights.output.T + weights.bias, targets[scored])
    nats = np.zeros(targets.shape, hidden.dtype)
    nats[scored] = per_target
    return nats, ForwardCache(inputs, targets, trace, hidden, probabilities)


def check_shapes(weights: Weights, inputs: IdArray, targets: IdArray) -> None:
    """Raise ValueError, naming the array, where ids or weights do not fit together."""
    V = weights.output.shape[0]
    expect_shape("embedding", weights.embedding, V, weights.cell.W.shape[0])
    expect_shape("output", weights.output, V, weights.cell.U.shape[0])
    expect_shape("bias", weights.bias, V)
    expect_shape("inputs", inputs, None, None)
    expect_nonempty("inputs", inputs)
    expect_shape("targets", targets, *inputs.shape)
    expect_ids("inputs", inputs, 0, V)
    expect_ids("targets", targets, NOT_SCORED, V)


def backward(
    weights: Weights,
    cache: ForwardCache,
    dnats: FloatArray,
    dh_T: FloatArray | None = None,
    dc_T: FloatArray | None = None,
) -> Gradients:
    """Return the gradients of Σ dnats · nats + Σ dh_T · h_T + Σ dc_T · c_T.

    `dnats` is (T, B), `dh_T` and `dc_T` are (B, H), None for zeros. Overwrites `cache.probabilities`.
    """
    expect_shape("dnats", dnats, *cache.targets.shape)
    scored = cache.targets != NOT_SCORED
    dz = cross_entropy_gradient(cache.probabilities, cache.targets[scored], dnats[scored])  # 22
    dh = np.zeros_like(cache.trace.tanh_c)
    dh[scored] = dz @ weights.output  # 23
    zeros = np.zeros_like(cache.trace.h[0])
    cell = lstm.backward(
        weights.cell,
        cache.trace,
        dh,
        zeros if dh_T is None else dh_T,
        zeros if dc_T is None else dc_T,
    )
    embedding = np.zeros_like(weights.embedding)
    np.add.at(embedding, cache.inputs, cell.x)  # 25
    return Gradients(
        Weights(
            embedding,
            lstm.Parameters(cell.W, cell.U, cell.b),
            output=dz.T @ cache.hidden,  # 24
            bias=dz.sum(axis=0),
        ),
        cell.h0,
        cell.c0,
    )


def loss(nats: FloatArray, targets: IdArray, importance: FloatArray) -> tuple[float, FloatArray]:
    """Return the weighted mean of nats over scored positions, and its derivative with respect to nats.

    With the weights w = `importance` (T, B) the mean is Σ w · nats / Σ w over scored positions. Raises
    ValueError where every position is unscored or weighs 0.
    """
    expect_shape("targets", targets, *nats.shape)
    expect_shape("importance", importance, *nats.shape)
    scored_importance = np.where(targets != NOT_SCORED, importance, 0)
    total = scored_importance.sum()
    if not (targets != NOT_SCORED).any() or total == 0:
        raise ValueError("no position is scored: every target is −1 or weighs 0")
    return float((scored_importance * nats).sum() / total), scored_importance / total


def bptt(
    weights: Weights,
    inputs: IdArray,
    targets: IdArray,
    importance: FloatArray,
    h0: FloatArray,
    c0: FloatArray,
) -> tuple[float, Gradients]:
    """Return the loss in nats per scored character, and its gradient by backpropagation through time."""
    nats, cache = forward(weights, inputs, targets, h0, c0)
    value, dnats = loss(nats, targets, importance)
    return value, backward(weights, cache, dnats)
