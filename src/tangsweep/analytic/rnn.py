"""The vanilla RNN by hand: h_t = tanh(x_t W_hx + h_{t−1} W_hh + b_h), p_t = h_t W_ph + b_p.

Equation numbers are those of docs/gradients.md; the loss may stand at the last step or at every step.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.shapes import expect, expect_ids, expect_some
from tangsweep.analytic.softmax import NOT_SCORED, cross_entropy, cross_entropy_gradient


class Parameters(NamedTuple):
    """W_hx (E, H), W_hh (H, H), b_h (H), W_ph (H, V), b_p (V); also the gradients of these."""

    W_hx: np.ndarray
    W_hh: np.ndarray
    b_h: np.ndarray
    W_ph: np.ndarray
    b_p: np.ndarray


def forward(p: Parameters, x: np.ndarray, h0: np.ndarray) -> np.ndarray:
    """(T + 1, B, H) hidden states of x (T, B, E), the first of them `h0` (B, H); equation 32."""
    H = p.W_hh.shape[0]
    expect("W_hh", p.W_hh, H, H)
    expect("W_hx", p.W_hx, None, H)
    expect("b_h", p.b_h, H)
    expect("x", x, None, None, p.W_hx.shape[0])
    expect_some("x", x)
    T, B, _ = x.shape
    expect("h0", h0, B, H)
    projected = x @ p.W_hx + p.b_h
    h = np.empty((T + 1, B, H), x.dtype)
    h[0] = h0
    for t in range(T):
        h[t + 1] = np.tanh(projected[t] + h[t] @ p.W_hh)
    return h


def bptt(
    p: Parameters, x: np.ndarray, targets: np.ndarray, h0: np.ndarray, last_only: bool
) -> tuple[float, Parameters, np.ndarray]:
    """Mean nats of `targets` (T, B), or of its last row alone, its gradient, and that of h0 (B, H).

    A target of −1 is not scored. Raises ValueError where none is, or an array does not fit.
    """
    h = forward(p, x, h0)
    T, B, _ = x.shape
    V = len(p.b_p)
    expect("W_ph", p.W_ph, p.W_hh.shape[0], V)
    expect("targets", targets, T, B)
    expect_ids("targets", targets, NOT_SCORED, V)
    scored = targets != NOT_SCORED
    if last_only:
        scored[:-1] = False
    if not scored.any():
        raise ValueError("no position is scored: every target is −1")
    hidden, wanted = h[1:][scored], targets[scored]
    nats, probabilities = cross_entropy(hidden @ p.W_ph + p.b_p, wanted)
    weights = np.full(len(wanted), 1 / len(wanted), x.dtype)
    dp = cross_entropy_gradient(probabilities, wanted, weights)
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


def _through_time(p: Parameters, h: np.ndarray, dh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂L/∂a (T, B, H) of every step's sum a, and ∂L/∂h0 (B, H); equation 34."""
    da = np.empty_like(dh)
    carried = np.zeros_like(dh[0])
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + carried) * (1 - h[t + 1] * h[t + 1])
        carried = da[t] @ p.W_hh.T
    return da, carried
