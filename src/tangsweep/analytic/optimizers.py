"""Optimizers in NumPy: one class for each update rule, with the keyword arguments of torch.optim.

`update` changes a parameter p in place, given its gradient g. `state` holds the parameter's running averages,
arrays of its shape, by name. `weight_decay` λ adds λ·p to the gradient. A constructor raises ValueError for
a value that is out of range, `update` for a gradient whose shape is not the parameter's.
"""

from dataclasses import dataclass

import numpy as np

from tangsweep.analytic.shapes import FloatArray, expect_shape

OptimizerState = dict[str, FloatArray]


@dataclass
class SGD:
    """v ← μv + g; p ← p − lr·v, or p − lr·(g + μv) with `nesterov` (Sutskever et al. 2013).

    With `momentum` 0 it is plain gradient descent. The first step sets v = g, as torch does.
    """

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_not_negative(self, "lr", "weight_decay", "momentum")
        _require(self, nesterov=not self.nesterov or self.momentum > 0)

    def update(self, p: FloatArray, g: FloatArray, state: OptimizerState) -> None:
        g = _with_weight_decay(p, g, self.weight_decay)
        if self.momentum:
            if "momentum" in state:
                state["momentum"] *= self.momentum
                state["momentum"] += g
            else:
                state["momentum"] = g.copy()
            g = g + self.momentum * state["momentum"] if self.nesterov else state["momentum"]
        p -= self.lr * g


@dataclass
class Adagrad:
    """s ← s + g²; p ← p − lr·g / (√s + ε). Duchi, Hazan and Singer 2011."""

    lr: float
    eps: float = 1e-10
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_not_negative(self, "lr", "weight_decay", "eps")

    def update(self, p: FloatArray, g: FloatArray, state: OptimizerState) -> None:
        g = _with_weight_decay(p, g, self.weight_decay)
        total = _state_array(state, "sum", p)
        total += g * g
        p -= self.lr * g / (np.sqrt(total) + self.eps)


@dataclass
class Adadelta:
    """s ← ρs + (1−ρ)g²; Δ = g·√(d + ε)/√(s + ε); d ← ρd + (1−ρ)Δ²; p ← p − lr·Δ. Zeiler 2012."""

    lr: float
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_not_negative(self, "lr", "weight_decay", "eps")
        _require(self, rho=0 <= self.rho <= 1)

    def update(self, p: FloatArray, g: FloatArray, state: OptimizerState) -> None:
        g = _with_weight_decay(p, g, self.weight_decay)
        squares = _state_array(state, "square_avg", p)
        deltas = _state_array(state, "acc_delta", p)
        _update_average(squares, g * g, self.rho)
        delta = np.sqrt(deltas + self.eps) / np.sqrt(squares + self.eps) * g
        _update_average(deltas, delta * delta, self.rho)
        p -= self.lr * delta


@dataclass
class RMSprop:
    """s ← αs + (1−α)g²; p ← p − lr·g / (√s + ε). Tieleman and Hinton 2012; `momentum` as in torch."""

    lr: float
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_not_negative(self, "lr", "weight_decay", "eps", "alpha", "momentum")

    def update(self, p: FloatArray, g: FloatArray, state: OptimizerState) -> None:
        g = _with_weight_decay(p, g, self.weight_decay)
        squares = _state_array(state, "square_avg", p)
        _update_average(squares, g * g, self.alpha)
        step: FloatArray = g / (np.sqrt(squares) + self.eps)
        if self.momentum:
            buffer = _state_array(state, "momentum", p)
            buffer *= self.momentum
            buffer += step
            step = buffer
        p -= self.lr * step


@dataclass
class Adam:
    """p ← p − lr·m̂ / (√v̂ + ε), with m and v the averages of g and g², corrected for their start at 0.

    Kingma and Ba 2015, algorithm 1.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_not_negative(self, "lr", "weight_decay", "eps")
        _require(self, betas=len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas))

    def update(self, p: FloatArray, g: FloatArray, state: OptimizerState) -> None:
        g = _with_weight_decay(p, g, self.weight_decay)
        first, second = self.betas
        mean = _state_array(state, "exp_avg", p)
        squares = _state_array(state, "exp_avg_sq", p)
        steps = state.setdefault("step", np.zeros((), dtype=np.int64))
        steps += 1
        _update_average(mean, g, first)
        _update_average(squares, g * g, second)
        corrected = np.sqrt(squares) / np.sqrt(1 - second ** int(steps))
        p -= self.lr / (1 - first ** int(steps)) * mean / (corrected + self.eps)


Optimizer = SGD | Adagrad | Adadelta | RMSprop | Adam
OPTIMIZERS = {rule.__name__: rule for rule in (SGD, Adagrad, Adadelta, RMSprop, Adam)}


def _require_not_negative(rule: object, *names: str) -> None:
    _require(rule, **{name: getattr(rule, name) >= 0 for name in names})


def _require(rule: object, **is_valid: bool) -> None:
    for name, valid in is_valid.items():
        if not valid:
            raise ValueError(f"{type(rule).__name__}: {name}={getattr(rule, name)} is invalid")


def _with_weight_decay(p: FloatArray, g: FloatArray, weight_decay: float) -> FloatArray:
    expect_shape("gradient", g, *p.shape)
    return g + weight_decay * p if weight_decay else g


def _state_array(state: OptimizerState, name: str, p: FloatArray) -> FloatArray:
    """Return the array `name` of the state, created as zeros like `p` at the first step."""
    if name not in state:
        state[name] = np.zeros_like(p)
    return state[name]


def _update_average(average: FloatArray, value: FloatArray, decay: float) -> None:
    """Set average ← decay · average + (1 − decay) · value, in place."""
    average *= decay
    average += (1 - decay) * value
