"""The vanilla RNN: h_t = tanh(x_t W_hx + h_{t−1} W_hh + b_h), logits p_t = h_t W_ph + b_p.

Equation numbers are those of docs/gradients.md. The loss is that of the last step or of every step.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.shapes import FloatArray, IdArray, expect_ids, expect_nonempty, expect_shape
from tangsweep.analytic.softmax import NOT_SCORED, cross_entropy, cross_entropy_gradient


class Parameters(NamedTuple):
    """The parameters of the model, or their gradients."""

    W_hx: FloatArray  # (E, H)
    W_hh: FloatArray  # (H, H)
    b_h: FloatArray  # (H)
    W_ph: FloatArray  # (H, V)
    b_p: FloatArray  # (V)


def forward(p: Parameters, x: FloatArray, h0: FloatArray) -> FloatArray:
    """Return `h0` (B, H) and the hidden states of x (T, B, E), together (T + 1, B, H); equation 32."""
    H = p.W_hh.shape[0]
    expect_shape("W_hh", p.W_hh, H, H)
    expect_shape("W_hx", p.W_hx, None, H)
    expect_shape("b_h", p.b_h, H)
    expect_shape("x", x, None, None, p.W_hx.shape[0])
    expect_nonempty("x", x)
    T, B, _ = x.shape
    expect_shape("h0", h0, B, H)
    projected = x @ p.W_hx + p.b_h
    h = np.empty((T + 1, B, H), x.dtype)
    h[0] = h0
    for t in range(T):
        h[t + 1] = np.tanh(projected[t] + h[t] @ p.W_hh)
    return h


def bptt(
    p: Parameters, x: FloatArray, targets: IdArray, h0: FloatArray, last_only: bool
) -> tuple[float, Parameters, FloatArray]:
    """Return the mean nats of `targets` (T, B), its gradient, and the gradient of h0 (B, H).

    With `last_only` the last row of `targets` alone is scored; a target of −1 never is. Raises ValueError
    where nothing is scored, or an array does not fit.
    """
    h = forward(p, x, h0)
    T, B, _ = x.shape
    V = len(p.b_p)
    expect_shape("W_ph", p.W_ph, p.W_hh.shape[0], V)
    expect_shape("targets", targets, T, B)
    expect_ids("targets", targets, NOT_SCORED, V)
    scored = targets != NOT_SCORED
    if last_only:
        scored[:-1] = False
    if not scored.any():
        raise ValueError("no position is scored: every target is −1")
    hidden, scored_targets = h[1:][scored], targets[scored]
    nats, probabilities = cross_entropy(hidden @ p.W_ph + p.b_p, scored_targets)
    weights = np.full(len(scored_targets), 1 / len(scored_targets), x.dtype)
    dp = cross_entropy_gradient(probabilities, scored_targets, weights)
    dh = np.zeros_like(h[1:])
    dh[scored] = dp @ p.W_ph.T  # 33
    da, dh0 = _through_time(p, h, dh)
    flat = da.reshape(T * B, -1)
    gradient = Parameters(
        W_hx=x.reshape(T * B, -1).T @ flat,  # 36
        W_hh=h[:-1].reshape(T * B, -1).T @ flat,  # 35
        b_h=flat.sum(axis=0),
        W_ph=hidden.T @ dp,  # 37
        b_p=dp.sum(axis=0),
    )
    return float(nats.mean()), gradient, dh0


def _through_time(p: Parameters, h: FloatArray, dh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ∂L/∂a (T, B, H) of every step's preactivation a, and ∂L/∂h0 (B, H); equation 34."""
    da = np.empty_like(dh)
    dh_next = np.zeros_like(dh[0])
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + dh_next) * (1 - h[t + 1] * h[t + 1])
        dh_next = da[t] @ p.W_hh.T
    return da, dh_next
