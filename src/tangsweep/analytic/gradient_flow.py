"""How far a gradient reaches: the norm of ∂h_T/∂h_k against the lag T − k.

A product of one-step Jacobians (equations 38 to 40 of docs/gradients.md) that shrinks or grows
geometrically: powers of W_hh for the vanilla RNN (Bengio, Simard and Frasconi 1994), of the forget
gates for the LSTM's cell.
"""

import numpy as np

from tangsweep.analytic import lstm, one_step, rnn


def lstm_norms(p: lstm.Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectral norms of ∂h_T/∂h_k and ∂h_T/∂c_k for lags 0 to T, each (T + 1,).

    `x` (T, E) is one sequence, from the zero state. Equation 39: products of the state's Jacobians.
    """
    H = p.U.shape[0]
    h, c = np.zeros((2, H))
    jacobians = []
    for row in x:
        s = one_step.run(p, row, h, c)
        jacobians.append(
            np.block(
                [
                    [one_step.dh_dh_prev(s), one_step.dh_dc_prev(s)],
                    [one_step.dc_dh_prev(s), one_step.dc_dc_prev(s)],
                ]
            )
        )
        h, c = s.h, s.c
    reach = np.eye(2 * H)[:H]  # ∂h_T/∂(h_T, c_T)
    through_h, through_c = [_norm(reach[:, :H])], [_norm(reach[:, H:])]
    for jacobian in reversed(jacobians):
        reach = reach @ jacobian
        through_h.append(_norm(reach[:, :H]))
        through_c.append(_norm(reach[:, H:]))
    return np.array(through_h), np.array(through_c)


def rnn_norms(p: rnn.Parameters, x: np.ndarray) -> np.ndarray:
    """Spectral norms of ∂h_T/∂h_k for lags 0 to T, (T + 1,), from the zero state over `x` (T, E).

    Equation 40: the product of diag(1 − h²) W_hhᵀ.
    """
    H = p.W_hh.shape[0]
    hidden = rnn.forward(p, x[:, None], np.zeros((1, H)))[1:, 0]
    reach = np.eye(H)
    norms = [_norm(reach)]
    for h in reversed(hidden):
        reach = reach @ ((1 - h * h)[:, None] * p.W_hh.T)
        norms.append(_norm(reach))
    return np.array(norms)


def spectral_radius(matrix: np.ndarray) -> float:
    """The largest modulus of an eigenvalue: below 1 the powers vanish, above 1 they may explode."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _norm(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2))
