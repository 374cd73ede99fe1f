"""The long short-term memory cell, by hand.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000:

    i = σ(x W_i + h U_i + b_i)      how much of the proposal enters
    f = σ(x W_f + h U_f + b_f)      how much of the old cell stays
    g = tanh(x W_g + h U_g + b_g)   the proposal
    o = σ(x W_o + h U_o + b_o)      how much of the cell is shown
    c' = f ⊙ c + i ⊙ g
    h' = o ⊙ tanh(c')

The four gates share one matrix product: W, U and b hold them side by side in the order i, f, g, o.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class State(NamedTuple):
    """Both (B, H)."""

    h: Tensor
    c: Tensor


class LSTM(nn.Module):
    """One layer's parameters, 4H(E + H + 1) numbers, and its step; `unroll` runs it over time."""

    gates = ("i", "f", "g", "o")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = nn.Parameter(torch.empty(4 * hidden_size))

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        zeros = self.U.new_zeros(batch, self.hidden_size)
        return State(h=zeros, c=zeros)

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """(..., E) → (..., 4H): what does not depend on the state, for all time steps at once."""
        return x @ self.W + self.b

    def step(self, projected: Tensor, state: State) -> State:
        """One time step; `projected` (B, 4H) is that step's part of `project`."""
        i, f, g, o = (projected + state.h @ self.U).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return State(h, c)
