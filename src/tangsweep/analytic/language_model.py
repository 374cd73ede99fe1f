"""The whole language model in NumPy: embedding → LSTM → output layer → nats, and every gradient.

Equation numbers are those of docs/gradients.md. Only scored positions reach the output layer.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic import lstm
from tangsweep.analytic.shapes import expect, expect_ids, expect_some
from tangsweep.analytic.softmax import NOT_SCORED, cross_entropy, cross_entropy_gradient


class Weights(NamedTuple):
    """embedding (V, E), the cell's parameters, output (V, H), bias (V); also the gradients of these."""

    embedding: np.ndarray
    cell: lstm.Parameters
    output: np.ndarray
    bias: np.ndarray


class Memory(NamedTuple):
    """What the backward pass needs of a forward pass."""

    inputs: np.ndarray  # (T, B) ids
    targets: np.ndarray  # (T, B) ids, −1 where not scored
    trace: lstm.Trace
    hidden: np.ndarray  # (N, H) outputs at the N scored positions
    probabilities: np.ndarray  # (N, V)


class Gradients(NamedTuple):
    """Of the weights, and of the initial state (B, H)."""

    weights: Weights
    h0: np.ndarray
    c0: np.ndarray


def forward(
    weights: Weights, inputs: np.ndarray, targets: np.ndarray, h0: np.ndarray, c0: np.ndarray
) -> tuple[np.ndarray, Memory]:
    """Nats (T, B) of every target, 0 where it is −1; `inputs` and `targets` (T, B) are ids.

    Raises ValueError, naming the array, where shapes do not fit.
    """
    check(weights, inputs, targets)
    trace = lstm.forward(weights.cell, weights.embedding[inputs], h0, c0)
    scored = targets != NOT_SCORED
    hidden = trace.h[1:][scored]
    per_target, probabilities = cross_entropy(hidden @ weights.output.T + weights.bias, targets[scored])
    nats = np.zeros(targets.shape, hidden.dtype)
    nats[scored] = per_target
    return nats, Memory(inputs, targets, trace, hidden, probabilities)


def check(weights: Weights, inputs: np.ndarray, targets: np.ndarray) -> None:
    """Raises ValueError, naming the array, where ids or weights do not fit."""
    V = weights.output.shape[0]
    expect("embedding", weights.embedding, V, weights.cell.W.shape[0])
    expect("output", weights.output, V, weights.cell.U.shape[0])
    expect("bias", weights.bias, V)
    expect("inputs", inputs, None, None)
    expect_some("inputs", inputs)
    expect("targets", targets, *inputs.shape)
    expect_ids("inputs", inputs, 0, V)
    expect_ids("targets", targets, NOT_SCORED, V)


def backward(
    weights: Weights,
    memory: Memory,
    dnats: np.ndarray,
    dh_T: np.ndarray | None = None,
    dc_T: np.ndarray | None = None,
) -> Gradients:
    """Gradients of Σ dnats · nats (`dnats` (T, B)), and of what comes in at the final state.

    Consumes `memory`: its probabilities become the logits' gradient.
    """
    expect("dnats", dnats, *memory.targets.shape)
    scored = memory.targets != NOT_SCORED
    dz = cross_entropy_gradient(memory.probabilities, memory.targets[scored], dnats[scored])  # 22
    dh = np.zeros_like(memory.trace.tanh_c)
    dh[scored] = dz @ weights.output  # 23
    none = np.zeros_like(memory.trace.h[0])
    cell = lstm.backward(
        weights.cell,
        memory.trace,
        dh,
        none if dh_T is None else dh_T,
        none if dc_T is None else dc_T,
    )
    embedding = np.zeros_like(weights.embedding)
    np.add.at(embedding, memory.inputs, cell.x)  # 25
    return Gradients(
        Weights(
            embedding,
            lstm.Parameters(cell.W, cell.U, cell.b),
            output=dz.T @ memory.hidden,  # 24
            bias=dz.sum(axis=0),
        ),
        cell.h0,
        cell.c0,
    )


def loss(nats: np.ndarray, targets: np.ndarray, importance: np.ndarray) -> tuple[float, np.ndarray]:
    """The weighted mean of nats over scored positions, and its derivative with respect to nats.

    `importance` (T, B) weighs each position; the mean is Σ w·nats / Σ w over the scored ones.
    Raises ValueError where no position counts, instead of dividing 0 by 0.
    """
    expect("targets", targets, *nats.shape)
    expect("importance", importance, *nats.shape)
    counting = np.where(targets != NOT_SCORED, importance, 0)
    total = counting.sum()
    if not (targets != NOT_SCORED).any() or total == 0:
        raise ValueError("no position is scored: every target is −1 or weighs 0")
    return float((counting * nats).sum() / total), counting / total


def bptt(
    weights: Weights,
    inputs: np.ndarray,
    targets: np.ndarray,
    importance: np.ndarray,
    h0: np.ndarray,
    c0: np.ndarray,
) -> tuple[float, Gradients]:
    """The loss in nats per scored character, and its gradient by backpropagation through time."""
    nats, memory = forward(weights, inputs, targets, h0, c0)
    value, dnats = loss(nats, targets, importance)
    return value, backward(weights, memory, dnats)
