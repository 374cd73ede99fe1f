"""The LSTM over a sequence: forward, and its gradient backward through time, in NumPy.

Equation numbers are those of docs/gradients.md. Everything that does not depend on the step before is
done for all steps at once: the input projection before the forward loop, the local derivatives before
the backward loop, the products that give dW, dU and dx after it.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.shapes import expect, expect_some


class Parameters(NamedTuple):
    """W (E, 4H), U (H, 4H), b (4H); gates side by side in the order i, f, g, o."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray


class Trace(NamedTuple):
    """What the backward pass needs. h[t] and c[t] are the states before step t, h[T] and c[T] the last."""

    x: np.ndarray  # (T, B, E)
    gates: np.ndarray  # (T, B, 4, H), activated
    c: np.ndarray  # (T + 1, B, H)
    h: np.ndarray  # (T + 1, B, H)
    tanh_c: np.ndarray  # (T, B, H), tanh of c[1:]


class Gradients(NamedTuple):
    """Of Parameters, of the inputs x (T, B, E) and of the initial state (B, H)."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    x: np.ndarray
    h0: np.ndarray
    c0: np.ndarray


def forward(p: Parameters, x: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> Trace:
    """Equations 1 to 6 over x (T, B, E) from the state h0, c0 (B, H).

    Raises ValueError, naming the array, where shapes do not fit.
    """
    T, B, H = _check(p, x, h0, c0)
    gates = (x.reshape(T * B, -1) @ p.W + p.b).reshape(T, B, 4, H)
    h = np.empty((T + 1, B, H), x.dtype)
    c = np.empty_like(h)
    tanh_c = np.empty((T, B, H), x.dtype)
    h[0], c[0] = h0, c0
    for t in range(T):
        a = gates[t]
        a += (h[t] @ p.U).reshape(B, 4, H)
        activate(a)
        i, f, g, o = a[:, 0], a[:, 1], a[:, 2], a[:, 3]
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += i * g
        np.tanh(c[t + 1], out=tanh_c[t])
        np.multiply(o, tanh_c[t], out=h[t + 1])
    return Trace(x, gates, c, h, tanh_c)


def activate(a: np.ndarray) -> None:
    """In place over (..., 4, H): σ for i, f, o and tanh for g, as σ(a) = (1 + tanh(a/2)) / 2."""
    a[..., :2, :] *= 0.5
    a[..., 3, :] *= 0.5
    np.tanh(a, out=a)
    a[..., :2, :] *= 0.5
    a[..., :2, :] += 0.5
    a[..., 3, :] *= 0.5
    a[..., 3, :] += 0.5


def backward(p: Parameters, trace: Trace, dh: np.ndarray, dh_T: np.ndarray, dc_T: np.ndarray) -> Gradients:
    """Gradients from those of every output `dh` (T, B, H) and of the final state (B, H).

    Equations 13 to 20: the sum over all paths through time, gathered from the last step to the first.
    """
    T, B, H = trace.tanh_c.shape
    expect("dh", dh, T, B, H)
    expect("dh_T", dh_T, B, H)
    expect("dc_T", dc_T, B, H)
    local, through_c = _local_derivatives(trace)
    forget = trace.gates[:, :, 1]
    da = np.empty_like(trace.gates)
    dh_next, dc_next = dh_T, dc_T
    for t in reversed(range(T)):
        dh_t = dh[t] + dh_next  # 13
        dc_t = dc_next + dh_t * through_c[t]  # 14
        np.multiply(local[t, :, :3], dc_t[:, None], out=da[t, :, :3])  # 15
        np.multiply(local[t, :, 3], dh_t, out=da[t, :, 3])  # 16
        dh_next = da[t].reshape(B, 4 * H) @ p.U.T  # 17
        dc_next = dc_t * forget[t]  # 18
    flat = da.reshape(T * B, 4 * H)
    return Gradients(
        W=trace.x.reshape(T * B, -1).T @ flat,  # 19
        U=trace.h[:-1].reshape(T * B, H).T @ flat,
        b=flat.sum(axis=0),
        x=(flat @ p.W.T).reshape(trace.x.shape),  # 20
        h0=dh_next,
        c0=dc_next,
    )


def _local_derivatives(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """For all steps: ∂c/∂a of i, f, g and ∂h/∂a of o, (T, B, 4, H); and ∂h/∂c, (T, B, H)."""
    i, f, g, o = (trace.gates[:, :, k] for k in range(4))
    local = np.empty_like(trace.gates)
    local[:, :, 0] = g * i * (1 - i)
    local[:, :, 1] = trace.c[:-1] * f * (1 - f)
    local[:, :, 2] = i * (1 - g * g)
    local[:, :, 3] = trace.tanh_c * o * (1 - o)
    return local, o * (1 - trace.tanh_c * trace.tanh_c)


def _check(p: Parameters, x: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> tuple[int, int, int]:
    H = p.U.shape[0]
    expect("x", x, None, None, p.W.shape[0])
    expect_some("x", x)
    T, B, E = x.shape
    expect("W", p.W, E, 4 * H)
    expect("U", p.U, H, 4 * H)
    expect("b", p.b, 4 * H)
    expect("h0", h0, B, H)
    expect("c0", c0, B, H)
    return T, B, H
