"""The gated recurrent unit (Cho et al. 2014).

It is torch.nn.GRU's form, in which the reset gate acts after the recurrent product:

    r = σ(x W_r + h U_r + b_r)              reset gate
    z = σ(x W_z + h U_z + b_z)              update gate
    n = tanh(x W_n + b_n + r ⊙ (h U_n + u)) candidate
    h' = (1 − z) ⊙ n + z ⊙ h

W, U and b hold the gates side by side in the order r, z, n; u is the bias inside the reset product.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tangsweep.cells.cell import Cell


class State(NamedTuple):
    """The hidden state, (B, H)."""

    h: Tensor


class GRU(Cell[State]):
    """One layer with 3H(E + H + 1) + H parameters."""

    gates = ("r", "z", "n")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(torch.empty(input_size, 3 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 3 * hidden_size))
        self.b = nn.Parameter(torch.empty(3 * hidden_size))
        self.u = nn.Parameter(torch.empty(hidden_size))

    def initial_state(self, batch: int) -> State:
        return State(h=self.U.new_zeros(batch, self.hidden_size))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """Return x W + b, (T, B, 3H), for x (T, B, E)."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        x_r, x_z, x_n = projected.chunk(3, dim=-1)
        h_r, h_z, h_n = (state.h @ self.U).chunk(3, dim=-1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * (h_n + self.u)).tanh()
        return State(h=n + z * (state.h - n))
