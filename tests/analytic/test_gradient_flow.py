"""Norms of products of Jacobians, against autograd, powers of a matrix, and central differences."""

import numpy as np
import pytest
import torch

from tangsweep.analytic import gradient_flow, one_step, rnn
from tangsweep.cells.lstm import State
from tests.analytic.reference import random_weights, torch_lstm


def test_lstm_norms_against_autograd() -> None:
    random = np.random.default_rng(0)
    T, E, H = 6, 3, 4
    p = random_weights(random, 2, E, H).cell
    x = random.standard_normal((T, E))
    through_h, through_c = gradient_flow.lstm_norms(p, x)
    cell = torch_lstm(p)
    states = [State(*torch.zeros(2, 1, H, dtype=torch.float64))]
    for row in torch.from_numpy(x):
        states.append(cell.step(cell.project(row[None], None), states[-1]))
    for lag in range(T + 1):
        k = T - lag
        # Run again from state k with its h and c as independent variables.
        h, c = (t.detach().clone() for t in states[k])

        def last(h_k, c_k, k=k):  # type: ignore[no-untyped-def]
            state = State(h_k, c_k)
            for row in torch.from_numpy(x[k:]):
                state = cell.step(cell.project(row[None], None), state)
            return state.h

        dh, dc = torch.autograd.functional.jacobian(last, (h, c))
        for ours, theirs in ((through_h, dh), (through_c, dc)):
            expected = torch.linalg.matrix_norm(theirs[0, :, 0, :], 2).item()
            assert ours[lag] == pytest.approx(expected, rel=1e-10, abs=1e-14)


def test_rnn_norms_against_autograd_and_powers() -> None:
    random = np.random.default_rng(1)
    T, E, H = 5, 2, 4
    shapes = ((E, H), (H, H), (H,), (H, 3), (3,))
    p = rnn.Parameters(*(random.standard_normal(s) for s in shapes))
    x = random.standard_normal((T, E))
    norms = gradient_flow.rnn_norms(p, x)
    hidden = rnn.forward(p, x[:, None], np.zeros((1, H)))
    W_hx, W_hh, b_h = (torch.from_numpy(a) for a in p[:3])
    for lag in range(T + 1):

        def last(h, k=T - lag):  # type: ignore[no-untyped-def]
            for row in torch.from_numpy(x[k:]):
                h = torch.tanh(row @ W_hx + h @ W_hh + b_h)
            return h

        jacobian = torch.autograd.functional.jacobian(last, torch.from_numpy(hidden[T - lag, 0]))
        assert norms[lag] == pytest.approx(torch.linalg.matrix_norm(jacobian, 2).item(), rel=1e-10)
    # Without inputs the state stays 0 and the Jacobians are plain powers of W_hh.
    still = gradient_flow.rnn_norms(p._replace(b_h=np.zeros(H)), np.zeros((T, E)))
    powers = [np.linalg.norm(np.linalg.matrix_power(p.W_hh, n), 2) for n in range(T + 1)]
    np.testing.assert_allclose(still, powers)


def test_spectral_radius() -> None:
    rotation = np.array([[0, -2.0], [2.0, 0]])
    assert gradient_flow.spectral_radius(rotation) == pytest.approx(2)


def test_jacobians_of_c_by_central_differences() -> None:
    random = np.random.default_rng(2)
    p = random_weights(random, 2, 3, 4).cell
    x, h, c = random.standard_normal(3), *random.standard_normal((2, 4))
    s = one_step.forward(p, x, h, c)
    for index, ours in ((0, one_step.dc_dh_prev(s)), (1, one_step.dc_dc_prev(s))):
        theirs = np.empty((4, 4))
        for j in range(4):
            ends = []
            for sign in (1, -1):
                state = [h.copy(), c.copy()]
                state[index][j] += sign * 1e-6
                ends.append(one_step.forward(p, x, *state))
            # c alone, with the gates that h_prev moves moving; c_prev moves no gate.
            theirs[:, j] = (ends[0].c - ends[1].c) / 2e-6
        np.testing.assert_allclose(ours, theirs, atol=1e-8)
