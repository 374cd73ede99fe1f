"""Optimizers of torch whose update is computed in C, where torch has no fused form on the CPU.

Each is the class of torch with another `step`: arguments, state and checkpoints are torch's own, and go both
ways. Weights differ from torch's in the last bits (tests/training/test_native_optimizers.py). The first step
is torch's, which makes the state; so is every step that the kernels do not support, such as one on a GPU.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from tangsweep.kernels import native

Group = Mapping[str, Any]  # a group of parameters: their options by name
State = Mapping[str, Tensor]  # of one parameter, by name
UNSUPPORTED = ("foreach", "maximize", "differentiable", "capturable")  # options of torch


class _NativeStep(Optimizer):
    """A `step` whose update is a kernel; comes before the class of torch."""

    RULE: ClassVar[str]  # the kernel
    STATE: ClassVar[tuple[str, ...]]  # names of the state that it reads and writes, of each weight

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        """Return what kernels/update.c calls k. `step` of each state counts this step already."""
        raise NotImplementedError

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        groups = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        if closure is not None or not all(self._is_supported(*group) for group in groups):
            return super().step(closure)
        for group, weights in groups:
            if weights:
                states = [self.state[weight] for weight in weights]
                torch._foreach_add_([state["step"] for state in states], 1)
                tensors = [
                    (weight, weight.grad, *(state.get(name) for name in self.STATE))
                    for weight, state in zip(weights, states, strict=True)
                ]
                native.update(self.RULE, tensors, self.coefficients(group, states))
        return None

    def _is_supported(self, group: Group, weights: Sequence[Tensor]) -> bool:
        return not any(group.get(name) for name in UNSUPPORTED) and all(
            self.state[weight]
            and weight.device.type == "cpu"
            and weight.dtype in native.REAL_TYPES
            and weight.is_contiguous()
            and not weight.grad.is_sparse  # type: ignore[union-attr]
            and weight.grad.is_contiguous()  # type: ignore[union-attr]
            for weight in weights
        )


class NativeRMSprop(_NativeStep, torch.optim.RMSprop):
    """Tieleman and Hinton 2012."""

    RULE, STATE = "rmsprop", ("square_avg", "momentum_buffer", "grad_avg")

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        alpha, decay = group["alpha"], group["weight_decay"]
        return [group["lr"], alpha, 1 - alpha, group["eps"], decay, group["momentum"], group["centered"]]


class NativeAdadelta(_NativeStep, torch.optim.Adadelta):
    """Zeiler 2012."""

    RULE, STATE = "adadelta", ("square_avg", "acc_delta")

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        rho = group["rho"]
        return [group["lr"], rho, 1 - rho, group["eps"], group["weight_decay"]]


class NativeAdamax(_NativeStep, torch.optim.Adamax):
    """Kingma and Ba 2015, section 7.1."""

    RULE, STATE = "adamax", ("exp_avg", "exp_inf")

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        beta1, beta2 = group["betas"]
        lr = group["lr"] / (1 - beta1 ** _step(states))
        return [lr, 1 - beta1, beta2, group["eps"], group["weight_decay"]]


class NativeNAdam(_NativeStep, torch.optim.NAdam):
    """Dozat 2016."""

    RULE, STATE = "nadam", ("exp_avg", "exp_avg_sq")

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        (beta1, beta2), step, lr = group["betas"], _step(states), group["lr"]
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        torch._foreach_mul_([state["mu_product"] for state in states], mu)
        product = states[0]["mu_product"].item()
        of_gradient, of_mean = lr * (1 - mu) / (1 - product), lr * mu_next / (1 - product * mu_next)
        decay = _decay(group)
        return [of_gradient, of_mean, 1 - beta1, beta2, 1 - beta2, 1 - beta2**step, group["eps"], *decay]


class NativeRAdam(_NativeStep, torch.optim.RAdam):
    """Liu et al. 2020, algorithm 2."""

    RULE, STATE = "radam", ("exp_avg", "exp_avg_sq")

    def coefficients(self, group: Group, states: Sequence[State]) -> list[float]:
        (beta1, beta2), step = group["betas"], _step(states)
        correction = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        adaptive = 0.0
        if length > 5:
            numerator = (length - 4) * (length - 2) * longest
            adaptive = (numerator / ((longest - 4) * (longest - 2) * length) * correction) ** 0.5
        lr = group["lr"] / (1 - beta1**step)
        return [lr, adaptive, 1 - beta1, beta2, 1 - beta2, group["eps"], *_decay(group)]


def _step(states: Sequence[State]) -> float:
    return states[0]["step"].item()


def _decay(group: Group) -> tuple[float, float]:
    """Return the decay that is added to gradients, and what decoupled decay multiplies weights by."""
    decay = group["weight_decay"]
    return (0.0, 1 - group["lr"] * decay) if group["decoupled_weight_decay"] else (decay, 1.0)


NATIVE_OPTIMIZERS: dict[type[Optimizer], type[Optimizer]] = {
    kind.__mro__[2]: kind for kind in (NativeRMSprop, NativeAdadelta, NativeAdamax, NativeNAdam, NativeRAdam)
}
