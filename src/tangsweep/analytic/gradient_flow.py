"""Vanishing and exploding gradients: the norm of ∂h_T/∂h_k against the lag T − k.

∂h_T/∂h_k is a product of one-step Jacobians (equations 38 to 40 of docs/gradients.md). It shrinks or grows
geometrically, for the vanilla RNN with powers of W_hh (Bengio, Simard and Frasconi 1994), for the LSTM's
cell state with products of the forget gates.
"""

import numpy as np

from tangsweep.analytic import lstm, one_step, rnn
from tangsweep.analytic.shapes import FloatArray


def lstm_norms(p: lstm.Parameters, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the spectral norms of ∂h_T/∂h_k and ∂h_T/∂c_k for lags 0 to T, each (T + 1,).

    `x` (T, E) is one sequence, read from the zero state. Equation 39: products of the Jacobians of (h, c).
    """
    H = p.U.shape[0]
    h: FloatArray = np.zeros(H)
    c: FloatArray = np.zeros(H)
    jacobians = []
    for row in x:
        s = one_step.forward(p, row, h, c)
        jacobians.append(
            np.block(
                [
                    [one_step.dh_dh_prev(s), one_step.dh_dc_prev(s)],
                    [one_step.dc_dh_prev(s), one_step.dc_dc_prev(s)],
                ]
            )
        )
        h, c = s.h, s.c
    product: FloatArray = np.eye(2 * H)[:H]  # ∂h_T/∂(h_T, c_T)
    through_h, through_c = [_norm(product[:, :H])], [_norm(product[:, H:])]
    for jacobian in reversed(jacobians):
        product = product @ jacobian
        through_h.append(_norm(product[:, :H]))
        through_c.append(_norm(product[:, H:]))
    return np.array(through_h), np.array(through_c)


def rnn_norms(p: rnn.Parameters, x: FloatArray) -> FloatArray:
    """Return the spectral norms of ∂h_T/∂h_k for lags 0 to T, (T + 1,).

    `x` (T, E) is one sequence, read from the zero state. Equation 40: products of diag(1 − h²) W_hhᵀ.
    """
    H = p.W_hh.shape[0]
    hidden = rnn.forward(p, x[:, None], np.zeros((1, H)))[1:, 0]
    product: FloatArray = np.eye(H)
    norms = [_norm(product)]
    for h in reversed(hidden):
        product = product @ ((1 - h * h)[:, None] * p.W_hh.T)
        norms.append(_norm(product))
    return np.array(norms)


def spectral_radius(matrix: FloatArray) -> float:
    """Return the largest modulus of an eigenvalue: below 1 powers of `matrix` vanish, above 1 they grow."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _norm(matrix: FloatArray) -> float:
    return float(np.linalg.norm(matrix, 2))
