"""The derivatives of one LSTM step: ∂h_t/∂· with h_{t−1} and c_{t−1} held fixed.

Every function returns the full Jacobian of h_t (H,) for one example; its first axis is that of h_t. Equation
numbers are those of docs/gradients.md. W_k (E, H) and U_k (H, H) are the weights of gate k for x_t and
h_{t−1}, b_k (H,) is its bias, and a_k (H,) its preactivation, of which the gate is σ or tanh. The candidate
c̃ is called g in the code; in the names of its weights its index is c.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.lstm import Parameters
from tangsweep.analytic.shapes import FloatArray, expect_shape


class Step(NamedTuple):
    """The values of one step: vectors of length H, but `x` of length E."""

    p: Parameters
    x: FloatArray
    h_prev: FloatArray
    c_prev: FloatArray
    i: FloatArray
    f: FloatArray
    g: FloatArray
    o: FloatArray
    c: FloatArray

    @property
    def h(self) -> FloatArray:
        return self.o * np.tanh(self.c)


def sigmoid(a: FloatArray) -> FloatArray:
    """Return 1 / (1 + e^−a), accurate where it is close to 0."""
    return np.exp(-np.logaddexp(0, -a))


def forward(p: Parameters, x: FloatArray, h_prev: FloatArray, c_prev: FloatArray) -> Step:
    """Run equations 1 to 6 for one example: x (E,), h_prev and c_prev (H,)."""
    E, H = p.W.shape[0], p.U.shape[0]
    expect_shape("W", p.W, E, 4 * H)
    expect_shape("U", p.U, H, 4 * H)
    expect_shape("b", p.b, 4 * H)
    expect_shape("x", x, E)
    expect_shape("h_prev", h_prev, H)
    expect_shape("c_prev", c_prev, H)
    a_i, a_f, a_g, a_o = np.split(x @ p.W + h_prev @ p.U + p.b, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    return Step(p, x, h_prev, c_prev, i, f, g, o, f * c_prev + i * g)


def dh_do(s: Step) -> FloatArray:
    """Equation 7: diag(tanh c_t)."""
    return np.diag(np.tanh(s.c))


def dh_dc(s: Step) -> FloatArray:
    """Equation 8: diag(o ⊙ (1 − tanh² c_t))."""
    return np.diag(s.o * (1 - np.tanh(s.c) ** 2))


def dh_df(s: Step) -> FloatArray:
    """Equation 9: ∂h_t/∂c_t · diag(c_{t−1})."""
    return dh_dc(s) * s.c_prev


def dh_di(s: Step) -> FloatArray:
    """Equation 9: ∂h_t/∂c_t · diag(c̃)."""
    return dh_dc(s) * s.g


def dh_dg(s: Step) -> FloatArray:
    """Equation 9: ∂h_t/∂c_t · diag(i); the derivative with respect to c̃."""
    return dh_dc(s) * s.i


def dh_dc_prev(s: Step) -> FloatArray:
    """Equation 9: ∂h_t/∂c_t · diag(f)."""
    return dh_dc(s) * s.f


def dh_da_i(s: Step) -> FloatArray:
    """Equation 10: ∂h_t/∂i · diag(i ⊙ (1 − i))."""
    return dh_di(s) * (s.i * (1 - s.i))


def dh_da_f(s: Step) -> FloatArray:
    """Equation 10: ∂h_t/∂f · diag(f ⊙ (1 − f))."""
    return dh_df(s) * (s.f * (1 - s.f))


def dh_da_g(s: Step) -> FloatArray:
    """Equation 10: ∂h_t/∂c̃ · diag(1 − c̃²); not c̃(1 − c̃)."""
    return dh_dg(s) * (1 - s.g * s.g)


def dh_da_o(s: Step) -> FloatArray:
    """Equation 10: ∂h_t/∂o · diag(o ⊙ (1 − o))."""
    return dh_do(s) * (s.o * (1 - s.o))


def dh_da(s: Step) -> FloatArray:
    """(H, 4H): the four of equation 10 side by side in the order i, f, g, o."""
    return np.concatenate([dh_da_i(s), dh_da_f(s), dh_da_g(s), dh_da_o(s)], axis=1)


def dh_dh_prev(s: Step) -> FloatArray:
    """Equation 11: Σ over gates of ∂h_t/∂a_k · U_kᵀ."""
    return dh_da(s) @ s.p.U.T


def dh_dx(s: Step) -> FloatArray:
    """Equation 11: Σ over gates of ∂h_t/∂a_k · W_kᵀ, (H, E)."""
    return dh_da(s) @ s.p.W.T


def _outer(through: FloatArray, entering: FloatArray) -> FloatArray:
    """(H, n, H): ∂h_j/∂M_{nk} = ∂h_j/∂a_k · entering_n for a weight matrix M with a = entering · M."""
    return through[:, None, :] * entering[None, :, None]


def dh_dW_i(s: Step) -> FloatArray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_i(s), s.x)


def dh_dW_f(s: Step) -> FloatArray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_f(s), s.x)


def dh_dW_c(s: Step) -> FloatArray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_g(s), s.x)


def dh_dW_o(s: Step) -> FloatArray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_o(s), s.x)


def dh_dU_i(s: Step) -> FloatArray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_i(s), s.h_prev)


def dh_dU_f(s: Step) -> FloatArray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_f(s), s.h_prev)


def dh_dU_c(s: Step) -> FloatArray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_g(s), s.h_prev)


def dh_dU_o(s: Step) -> FloatArray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_o(s), s.h_prev)


def dh_db_i(s: Step) -> FloatArray:
    """Equation 12, (H, H): equal to ∂h_t/∂a_i, because b_i is a term of the preactivation."""
    return dh_da_i(s)


def dh_db_f(s: Step) -> FloatArray:
    """Equation 12, (H, H): equal to ∂h_t/∂a_f, because b_f is a term of the preactivation."""
    return dh_da_f(s)


def dh_db_c(s: Step) -> FloatArray:
    """Equation 12, (H, H): equal to ∂h_t/∂a_g, because b_c is a term of the preactivation."""
    return dh_da_g(s)


def dh_db_o(s: Step) -> FloatArray:
    """Equation 12, (H, H): equal to ∂h_t/∂a_o, because b_o is a term of the preactivation."""
    return dh_da_o(s)


def dc_dh_prev(s: Step) -> FloatArray:
    """Equation 38: ∂c_t/∂h_{t−1}, through f, i and c̃."""
    a = np.concatenate(
        [
            np.diag(s.g * s.i * (1 - s.i)),
            np.diag(s.c_prev * s.f * (1 - s.f)),
            np.diag(s.i * (1 - s.g * s.g)),
        ],
        axis=1,
    )
    return a @ s.p.U[:, : 3 * len(s.c)].T


def dc_dc_prev(s: Step) -> FloatArray:
    """Equation 38: ∂c_t/∂c_{t−1} = diag(f), the constant error carousel where f is 1."""
    return np.diag(s.f)
