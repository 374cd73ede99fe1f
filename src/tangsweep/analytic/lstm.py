"""The LSTM over a sequence in NumPy: the forward pass, and backpropagation through time.

Equation numbers are those of docs/gradients.md. What does not depend on the previous step is computed for
all steps at once: the input projection before the forward loop, the local derivatives before the backward
loop, and the products that give dW, dU and dx after it.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.shapes import FloatArray, expect_nonempty, expect_shape


class Parameters(NamedTuple):
    """The parameters of an LSTM; the gates lie side by side in the order i, f, g, o."""

    W: FloatArray  # (E, 4H)
    U: FloatArray  # (H, 4H)
    b: FloatArray  # (4H)


class Trace(NamedTuple):
    """The values of a forward pass that the backward pass needs; h[t], c[t] are the state before step t."""

    x: FloatArray  # (T, B, E)
    gates: FloatArray  # (T, B, 4, H), activated
    c: FloatArray  # (T + 1, B, H)
    h: FloatArray  # (T + 1, B, H)
    tanh_c: FloatArray  # (T, B, H), tanh of c[1:]


class Gradients(NamedTuple):
    """The gradients of the parameters, of the inputs and of the initial state."""

    W: FloatArray  # (E, 4H)
    U: FloatArray  # (H, 4H)
    b: FloatArray  # (4H)
    x: FloatArray  # (T, B, E)
    h0: FloatArray  # (B, H)
    c0: FloatArray  # (B, H)


def forward(p: Parameters, x: FloatArray, h0: FloatArray, c0: FloatArray) -> Trace:
    """Run equations 1 to 6 over x (T, B, E) from the state h0, c0 (B, H).

    Raises ValueError, naming the array, where shapes do not fit.
    """
    T, B, H = _check_shapes(p, x, h0, c0)
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


def activate(a: FloatArray) -> None:
    """Apply σ to the gates i, f, o and tanh to g, in place in `a` (..., 4, H).

    One tanh serves all four: σ(a) = (1 + tanh(a/2)) / 2.
    """
    a[..., :2, :] *= 0.5
    a[..., 3, :] *= 0.5
    np.tanh(a, out=a)
    a[..., :2, :] *= 0.5
    a[..., :2, :] += 0.5
    a[..., 3, :] *= 0.5
    a[..., 3, :] += 0.5


def backward(p: Parameters, trace: Trace, dh: FloatArray, dh_T: FloatArray, dc_T: FloatArray) -> Gradients:
    """Return the gradients, given those of every hidden state `dh` (T, B, H) and of the final state (B, H).

    Equations 13 to 20, from the last step to the first: the sum over all paths through time.
    """
    T, B, H = trace.tanh_c.shape
    expect_shape("dh", dh, T, B, H)
    expect_shape("dh_T", dh_T, B, H)
    expect_shape("dc_T", dc_T, B, H)
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


def _local_derivatives(trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Return ∂c/∂a of i, f, g beside ∂h/∂a of o, (T, B, 4, H), and ∂h/∂c, (T, B, H), for all steps."""
    i, f, g, o = (trace.gates[:, :, k] for k in range(4))
    local = np.empty_like(trace.gates)
    local[:, :, 0] = g * i * (1 - i)
    local[:, :, 1] = trace.c[:-1] * f * (1 - f)
    local[:, :, 2] = i * (1 - g * g)
    local[:, :, 3] = trace.tanh_c * o * (1 - o)
    return local, o * (1 - trace.tanh_c * trace.tanh_c)


def _check_shapes(p: Parameters, x: FloatArray, h0: FloatArray, c0: FloatArray) -> tuple[int, int, int]:
    H = p.U.shape[0]
    expect_shape("x", x, None, None, p.W.shape[0])
    expect_nonempty("x", x)
    T, B, E = x.shape
    expect_shape("W", p.W, E, 4 * H)
    expect_shape("U", p.U, H, 4 * H)
    expect_shape("b", p.b, 4 * H)
    expect_shape("h0", h0, B, H)
    expect_shape("c0", c0, B, H)
    return T, B, H
