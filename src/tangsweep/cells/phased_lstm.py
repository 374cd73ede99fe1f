"""The Phased LSTM, by hand: an LSTM whose units are open only in a part of their own period.

Neil, Pfeiffer and Liu 2016, equations 6 to 10. At time stamp t a unit with period τ, shift s and open
ratio r_on is open by

    φ = ((t − s) mod τ) / τ
    k = 2φ / r_on           where φ < r_on/2        rising
        2 − 2φ / r_on       where φ < r_on          falling
        α φ                 elsewhere               closed; α lets gradients leak, in training only

and moves by that much towards what an LSTM would have done (`cells/lstm.py`):

    c̃ = f ⊙ c + i ⊙ g       c' = k ⊙ c̃ + (1 − k) ⊙ c
    h̃ = o ⊙ tanh(c̃)         h' = k ⊙ h̃ + (1 − k) ⊙ h

With peepholes, c enters i and f and c̃ enters o, each through a weight a unit (Gers, Schraudolph and
Schmidhuber 2002). The state does not enter k, so all openings are computed before the loop.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class State(NamedTuple):
    """Both (B, H)."""

    h: Tensor
    c: Tensor


class PhasedLSTM(nn.Module):
    """One layer's parameters, an LSTM's and 2H for τ and s, and its step; `unroll` runs it over time.

    τ is stored as its logarithm, and so stays above 0 while it is learned. It starts at `period`, or
    where that is None at exp(U(low, high)) with `period_exponents` = (low, high); s starts at U(0, τ).
    `r_on`, in (0, 1], is fixed unless `learn_r_on`, then each unit's own and stored as its logit.
    Raises ValueError where `r_on` or `period` is out of range.
    """

    gates = ("i", "f", "g", "o")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        r_on: float = 0.05,
        learn_r_on: bool = False,
        alpha: float = 1e-3,
        period: float | None = None,
        period_exponents: Sequence[float] = (1.0, 3.0),
        peepholes: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < r_on <= 1 or (learn_r_on and r_on == 1):
            raise ValueError(f"r_on={r_on} is outside (0, 1], or is 1 and to be learned")
        if period is not None and period <= 0:
            raise ValueError(f"period={period} is not above 0")
        self.hidden_size, self.alpha, self.r_on = hidden_size, alpha, r_on
        self.W = nn.Parameter(torch.empty(input_size, 4 * hidden_size))
        self.U = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size))
        self.b = nn.Parameter(torch.empty(4 * hidden_size))
        self.peepholes = nn.Parameter(torch.empty(3 * hidden_size)) if peepholes else None
        self.log_period = nn.Parameter(torch.empty(hidden_size))
        self.shift = nn.Parameter(torch.empty(hidden_size))
        self.r_on_logit = nn.Parameter(torch.empty(hidden_size)) if learn_r_on else None
        self.period, self.period_exponents = period, tuple(period_exponents)

    @property
    def draws(self) -> dict[str, Callable[[Tensor, torch.Generator], object]]:
        """How the parameters start that are no weights; drawn in this order (see `inits`)."""
        low, high = self.period_exponents if self.period is None else [math.log(self.period)] * 2
        logit = math.log(self.r_on / (1 - self.r_on)) if self.r_on < 1 else math.inf
        return {
            "log_period": lambda p, generator: p.uniform_(low, high, generator=generator),
            "shift": lambda p, generator: p.uniform_(generator=generator).mul_(self.log_period.exp()),
            "r_on_logit": lambda p, generator: p.fill_(logit),
        }

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        zeros = self.U.new_zeros(batch, self.hidden_size)
        return State(h=zeros, c=zeros)

    def openness(self, times: Tensor) -> Tensor:
        """k of every unit at `times` (...): (..., H), between 0 and 1."""
        period = self.log_period.exp()
        phase = torch.remainder(times.to(period.dtype).unsqueeze(-1) - self.shift, period) / period
        r_on = self.r_on if self.r_on_logit is None else self.r_on_logit.sigmoid()
        rising = 2 * phase / r_on
        closed = self.alpha * phase if self.training else torch.zeros_like(phase)
        return torch.where(phase < r_on / 2, rising, torch.where(phase < r_on, 2 - rising, closed))

    def project(self, x: Tensor, times: Tensor) -> Tensor:
        """(T, B, E) and time stamps (T, B) → (T, B, 5H): what does not depend on the state; k last."""
        of_x = x @ self.W + self.b
        k = self.openness(times)
        return torch.cat([of_x, k.expand(*of_x.shape[:-1], self.hidden_size)], dim=-1)

    def step(self, projected: Tensor, state: State) -> State:
        """One time step; `projected` (B, 5H) is that step's part of `project`."""
        of_x, k = projected.split([4 * self.hidden_size, self.hidden_size], dim=-1)
        i, f, g, o = (of_x + state.h @ self.U).chunk(4, dim=-1)
        if self.peepholes is not None:
            to_i, to_f, to_o = self.peepholes.chunk(3)
            i, f = i + to_i * state.c, f + to_f * state.c
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        if self.peepholes is not None:
            o = o + to_o * c
        h = o.sigmoid() * c.tanh()
        return State(h=torch.lerp(state.h, h, k), c=torch.lerp(state.c, c, k))
