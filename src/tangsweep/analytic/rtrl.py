"""Real-time recurrent learning: the gradient of backpropagation through time, computed forward in time.

Williams and Zipser 1989. The influence matrices ∂h_t/∂θ and ∂c_t/∂θ are carried from step to step, so no
earlier step is kept: memory does not grow with T, but a step costs about 4H² times as many multiplications.
Equation numbers are those of docs/gradients.md.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic import lstm
from tangsweep.analytic.language_model import Gradients, Weights, check_shapes, loss
from tangsweep.analytic.shapes import FloatArray, IdArray, expect_shape
from tangsweep.analytic.softmax import NOT_SCORED, cross_entropy, cross_entropy_gradient


class Influence(NamedTuple):
    """The influence matrices of one sequence; θ is W, U, b, the embedding, h0 and c0, each flattened."""

    h: FloatArray  # (H, P), ∂h/∂θ
    c: FloatArray  # (H, P), ∂c/∂θ


class Layout:
    """The place of each parameter's entries in θ, a vector of length P."""

    def __init__(self, weights: Weights) -> None:
        H = weights.cell.U.shape[0]
        self.shapes = [a.shape for a in (*weights.cell, weights.embedding)] + [(H,), (H,)]
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        self.slices = [slice(int(e - np.prod(s)), int(e)) for s, e in zip(self.shapes, ends, strict=True)]
        self.size = int(ends[-1])

    def split(self, theta: FloatArray) -> list[FloatArray]:
        """Return W, U, b, embedding, h0 and c0 from a vector (P,)."""
        return [theta[s].reshape(shape) for s, shape in zip(self.slices, self.shapes, strict=True)]


def rtrl(
    weights: Weights,
    inputs: IdArray,
    targets: IdArray,
    importance: FloatArray,
    h0: FloatArray,
    c0: FloatArray,
) -> tuple[float, Gradients]:
    """Return the same as `language_model.bptt`, by equations 26 to 31, one sequence after another."""
    check_shapes(weights, inputs, targets)
    expect_shape("h0", h0, inputs.shape[1], weights.cell.U.shape[0])
    expect_shape("c0", c0, *h0.shape)
    layout, (T, B) = Layout(weights), inputs.shape
    nats, (_, share) = np.zeros((T, B), h0.dtype), loss(np.zeros((T, B)), targets, importance)
    theta = np.zeros((B, layout.size), h0.dtype)
    output, bias = np.zeros_like(weights.output), np.zeros_like(weights.bias)
    for b in range(B):
        h, c, influence = h0[b], c0[b], _initial_influence(layout, h0.shape[1], h0.dtype)
        for t in range(T):
            h, c, influence = step(weights, layout, inputs[t, b], h, c, influence)
            if targets[t, b] == NOT_SCORED:
                continue
            logits = (weights.output @ h + weights.bias)[None]
            target = targets[t : t + 1, b]
            (nats[t, b],), probabilities = cross_entropy(logits, target)
            dz = cross_entropy_gradient(probabilities, target, share[t : t + 1, b])[0]
            theta[b] += (dz @ weights.output) @ influence.h  # 31
            output += np.outer(dz, h)
            bias += dz
    value, _ = loss(nats, targets, importance)
    W, U, bias_cell, embedding, _, _ = layout.split(theta.sum(axis=0))
    initial = [layout.split(row)[-2:] for row in theta]
    return value, Gradients(
        Weights(embedding, lstm.Parameters(W, U, bias_cell), output, bias),
        h0=np.stack([h for h, _ in initial]),
        c0=np.stack([c for _, c in initial]),
    )


def step(
    weights: Weights, layout: Layout, token: int, h: FloatArray, c: FloatArray, influence: Influence
) -> tuple[FloatArray, FloatArray, Influence]:
    """Return the state (H,) and the influence (H, P) after one step of one sequence."""
    cell, x = weights.cell, weights.embedding[token]
    gates = (x @ cell.W + h @ cell.U + cell.b).reshape(4, -1)
    lstm.activate(gates)
    i, f, g, o = gates[..., None]  # (H, 1) each, to scale rows
    da_i, da_f, da_g, da_o = _preactivation_influence(cell, layout, token, x, h, influence)
    dc = (
        f * influence.c  # 28: through the cell state, and through each gate
        + c[:, None] * f * (1 - f) * da_f
        + g * i * (1 - i) * da_i
        + i * (1 - g * g) * da_g
    )
    c = f[:, 0] * c + i[:, 0] * g[:, 0]
    tanh_c = np.tanh(c)[:, None]
    dh = tanh_c * o * (1 - o) * da_o + o * (1 - tanh_c * tanh_c) * dc  # 29
    return o[:, 0] * tanh_c[:, 0], c, Influence(dh, dc)


def _preactivation_influence(
    cell: lstm.Parameters,
    layout: Layout,
    token: int,
    x: FloatArray,
    h: FloatArray,
    influence: Influence,
) -> FloatArray:
    """Return ∂a/∂θ (4, H, P) of this step's preactivations, directly and through h (equations 26, 27)."""
    H = len(h)
    da = cell.U.T @ influence.h  # 26: through the hidden state
    W, U, b, embedding = layout.slices[:4]
    rows = np.arange(4 * H)
    da[:, W].reshape(4 * H, len(x), 4 * H)[rows, :, rows] += x  # 27: and directly
    da[:, U].reshape(4 * H, H, 4 * H)[rows, :, rows] += h
    da[:, b][rows, rows] += 1
    da[:, embedding].reshape(4 * H, -1, len(x))[:, token] += cell.W.T
    return da.reshape(4, H, layout.size)


def _initial_influence(layout: Layout, H: int, dtype: np.dtype) -> Influence:
    """Return the influence before the first step: that of h0 and c0 on themselves (equation 30)."""
    influence = Influence(np.zeros((H, layout.size), dtype), np.zeros((H, layout.size), dtype))
    influence.h[:, layout.slices[4]] = np.eye(H)
    influence.c[:, layout.slices[5]] = np.eye(H)
    return influence
