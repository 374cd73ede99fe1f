"""One LSTM step differentiated by hand: ∂h_t/∂· with h_{t−1} and c_{t−1} held fixed.

Every function returns the full Jacobian of h_t (H,) for one example, its first axis h_t's; equation
numbers are those of docs/gradients.md. W_k (E, H) and U_k (H, H) are gate k's weights for x_t and
h_{t−1}, b_k (H,) its bias; c̃ is called g in the code.
"""

from typing import NamedTuple

import numpy as np

from tangsweep.analytic.lstm import Parameters
from tangsweep.analytic.shapes import expect


class Step(NamedTuple):
    """One step's values; vectors of length H, `x` of length E."""

    p: Parameters
    x: np.ndarray
    h_prev: np.ndarray
    c_prev: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray

    @property
    def h(self) -> np.ndarray:
        return self.o * np.tanh(self.c)


def sigmoid(a: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−a), accurate where it is close to 0."""
    return np.exp(-np.logaddexp(0, -a))


def run(p: Parameters, x: np.ndarray, h_prev: np.ndarray, c_prev: np.ndarray) -> Step:
    """Equations 1 to 6 for one example: x (E,), h_prev and c_prev (H,)."""
    E, H = p.W.shape[0], p.U.shape[0]
    expect("W", p.W, E, 4 * H)
    expect("U", p.U, H, 4 * H)
    expect("b", p.b, 4 * H)
    expect("x", x, E)
    expect("h_prev", h_prev, H)
    expect("c_prev", c_prev, H)
    a_i, a_f, a_g, a_o = np.split(x @ p.W + h_prev @ p.U + p.b, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    return Step(p, x, h_prev, c_prev, i, f, g, o, f * c_prev + i * g)


def dh_do(s: Step) -> np.ndarray:
    """Equation 7: diag(tanh c_t)."""
    return np.diag(np.tanh(s.c))


def dh_dc(s: Step) -> np.ndarray:
    """Equation 8: diag(o ⊙ (1 − tanh² c_t))."""
    return np.diag(s.o * (1 - np.tanh(s.c) ** 2))


def dh_df(s: Step) -> np.ndarray:
    """Equation 9: ∂h_t/∂c_t · diag(c_{t−1})."""
    return dh_dc(s) * s.c_prev


def dh_di(s: Step) -> np.ndarray:
    """Equation 9: ∂h_t/∂c_t · diag(c̃)."""
    return dh_dc(s) * s.g


def dh_dg(s: Step) -> np.ndarray:
    """Equation 9: ∂h_t/∂c_t · diag(i); the derivative with respect to c̃."""
    return dh_dc(s) * s.i


def dh_dc_prev(s: Step) -> np.ndarray:
    """Equation 9: ∂h_t/∂c_t · diag(f)."""
    return dh_dc(s) * s.f


def dh_da_i(s: Step) -> np.ndarray:
    """Equation 10: ∂h_t/∂i · diag(i ⊙ (1 − i)); a is the sum that the gate's σ or tanh is taken of."""
    return dh_di(s) * (s.i * (1 - s.i))


def dh_da_f(s: Step) -> np.ndarray:
    """Equation 10: ∂h_t/∂f · diag(f ⊙ (1 − f))."""
    return dh_df(s) * (s.f * (1 - s.f))


def dh_da_g(s: Step) -> np.ndarray:
    """Equation 10: ∂h_t/∂c̃ · diag(1 − c̃²); not c̃(1 − c̃)."""
    return dh_dg(s) * (1 - s.g * s.g)


def dh_da_o(s: Step) -> np.ndarray:
    """Equation 10: ∂h_t/∂o · diag(o ⊙ (1 − o))."""
    return dh_do(s) * (s.o * (1 - s.o))


def dh_da(s: Step) -> np.ndarray:
    """(H, 4H): the four of equation 10 side by side in the order i, f, g, o."""
    return np.concatenate([dh_da_i(s), dh_da_f(s), dh_da_g(s), dh_da_o(s)], axis=1)


def dh_dh_prev(s: Step) -> np.ndarray:
    """Equation 11: Σ over gates of ∂h_t/∂a_k · U_kᵀ."""
    return dh_da(s) @ s.p.U.T


def dh_dx(s: Step) -> np.ndarray:
    """Equation 11: Σ over gates of ∂h_t/∂a_k · W_kᵀ, (H, E)."""
    return dh_da(s) @ s.p.W.T


def _outer(through: np.ndarray, entering: np.ndarray) -> np.ndarray:
    """(H, n, H): ∂h_j/∂M_{nk} = ∂h_j/∂a_k · entering_n for a weight matrix M with a = entering · M."""
    return through[:, None, :] * entering[None, :, None]


def dh_dW_i(s: Step) -> np.ndarray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_i(s), s.x)


def dh_dW_f(s: Step) -> np.ndarray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_f(s), s.x)


def dh_dW_c(s: Step) -> np.ndarray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_g(s), s.x)


def dh_dW_o(s: Step) -> np.ndarray:
    """Equation 12, (H, E, H)."""
    return _outer(dh_da_o(s), s.x)


def dh_dU_i(s: Step) -> np.ndarray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_i(s), s.h_prev)


def dh_dU_f(s: Step) -> np.ndarray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_f(s), s.h_prev)


def dh_dU_c(s: Step) -> np.ndarray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_g(s), s.h_prev)


def dh_dU_o(s: Step) -> np.ndarray:
    """Equation 12, (H, H, H)."""
    return _outer(dh_da_o(s), s.h_prev)


def dh_db_i(s: Step) -> np.ndarray:
    """Equation 12."""
    return dh_da_i(s)


def dh_db_f(s: Step) -> np.ndarray:
    """Equation 12."""
    return dh_da_f(s)


def dh_db_c(s: Step) -> np.ndarray:
    """Equation 12."""
    return dh_da_g(s)


def dh_db_o(s: Step) -> np.ndarray:
    """Equation 12."""
    return dh_da_o(s)


def dc_dh_prev(s: Step) -> np.ndarray:
    """Equation 38: what of h_{t−1} reaches c_t, through f, i and c̃."""
    a = np.concatenate(
        [
            np.diag(s.g * s.i * (1 - s.i)),
            np.diag(s.c_prev * s.f * (1 - s.f)),
            np.diag(s.i * (1 - s.g * s.g)),
        ],
        axis=1,
    )
    return a @ s.p.U[:, : 3 * len(s.c)].T


def dc_dc_prev(s: Step) -> np.ndarray:
    """Equation 38: diag(f), the constant error carousel where f is 1."""
    return np.diag(s.f)
