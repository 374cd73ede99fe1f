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

from tangsweep.kernels.lstm import lstm_sequence


class State(NamedTuple):
    """Both (B, H)."""

    h: Tensor
    c: Tensor


class LSTM(nn.Module):
    """One layer's parameters, 4H(E + H + 1) numbers, and its step; `unroll` runs it over time.

    Over a sequence it is computed by `lstm_sequence`, several times faster than step by step, with the
    `kernel` auto, torch or native; the values are the same.
    """

    gates = ("i", "f", "g", "o")

    def __init__(self, input_size: int, hidden_size: int, kernel: str = "auto") -> None:
        super().__init__()
        self.hidden_size, self.kernel = hidden_size, kernel
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

    def sequence(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """All steps of x (T, B, E) at once: outputs (T, B, H) and the final state."""
        h, c = state or (None, None)
        outputs, c = lstm_sequence(x, self.W, self.U, self.b, h, c, self.kernel)
        return outputs, State(outputs[-1], c)
