"""The gated recurrent unit, by hand.

Cho et al. 2014, in the form of torch.nn.GRU, where the reset gate acts after the recurrent product:

    r = σ(x W_r + h U_r + b_r)              how much of the state the proposal sees
    z = σ(x W_z + h U_z + b_z)              how much of the state stays
    n = tanh(x W_n + b_n + r ⊙ (h U_n + u)) the proposal
    h' = (1 − z) ⊙ n + z ⊙ h

W, U and b hold the gates side by side in the order r, z, n; u is the bias inside the reset product.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class State(NamedTuple):
    """(B, H)."""

    h: Tensor


class GRU(nn.Module):
    """One layer's parameters, 3H(E + H + 1) + H numbers, and its step; `unroll` runs it over time."""

    gates = ("r", "z", "n")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(torch.empty(input_size, 3 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 3 * hidden_size))
        self.b = nn.Parameter(torch.empty(3 * hidden_size))
        self.u = nn.Parameter(torch.empty(hidden_size))

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        return State(h=self.U.new_zeros(batch, self.hidden_size))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """(..., E) → (..., 3H): what does not depend on the state, for all time steps at once."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        """One time step; `projected` (B, 3H) is that step's part of `project`."""
        of_x_r, of_x_z, of_x_n = projected.chunk(3, dim=-1)
        of_h_r, of_h_z, of_h_n = (state.h @ self.U).chunk(3, dim=-1)
        r, z = (of_x_r + of_h_r).sigmoid(), (of_x_z + of_h_z).sigmoid()
        n = (of_x_n + r * (of_h_n + self.u)).tanh()
        return State(h=n + z * (state.h - n))
