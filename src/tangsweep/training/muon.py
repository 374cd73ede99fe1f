"""Muon, gate by gate, for the matrices of recurrent cells; AdamW for every other weight."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw
from torch.optim.optimizer import ParamsT

from tangsweep.training.parameter_groups import ParameterGroup

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan et al. 2024


class Muon(Optimizer):
    """Moves each gate's matrix along its momentum, with all singular values made about 1.

    The rule is that of Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/, with Nesterov's
    momentum. A cell's matrices hold its gates side by side. Each gate is a map of its own and is
    orthogonalized alone. Updates are scaled by 0.2 √max(rows, columns), as long as those of AdamW usually
    are, so that one learning rate serves all weights (Liu et al. 2025, https://arxiv.org/abs/2502.16982,
    equation 4). Embeddings, the output layer and vectors follow AdamW. torch.optim.Muon computes in
    bfloat16, this class in the weights' own type.

    Args:
        params: groups of parameters. `blocks` of a group says how many matrices of equal width lie side by
            side in each of its parameters; 0: they follow AdamW. `build_optimizer` sets it.
        lr: the learning rate.
        momentum: of Muon, at least 0 and below 1.
        betas, eps: of AdamW.
        weight_decay: decoupled, of both.
        newton_schulz_steps: iterations that bring singular values near 1.
    """

    takes_gates_apart = True  # build_optimizer gives it groups with `blocks`

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.95,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        newton_schulz_steps: int = 5,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum} is invalid: it must be at least 0 and below 1")
        options = {"lr": lr, "momentum": momentum, "betas": tuple(betas), "eps": eps, "blocks": 0}
        options |= {"weight_decay": weight_decay, "newton_schulz_steps": newton_schulz_steps, "fused": True}
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if group["blocks"]:
                for weight in weights:
                    self._step_matrix(weight, group)
            elif weights:
                self._step_by_adamw(weights, group)
        return loss

    def _step_matrix(self, weight: Tensor, group: ParameterGroup) -> None:
        state, gradient, momentum = self.state[weight], weight.grad, group["momentum"]
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        average = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(average, momentum)
        rows, columns = weight.shape[0], weight.shape[1] // group["blocks"]
        blocks = direction.view(rows, group["blocks"], columns).transpose(0, 1)
        update = orthogonalize(blocks, group["newton_schulz_steps"]).transpose(0, 1).reshape(weight.shape)
        lr = group["lr"]
        weight.mul_(1 - lr * group["weight_decay"])
        weight.add_(update, alpha=-0.2 * max(rows, columns) ** 0.5 * lr)

    def _step_by_adamw(self, weights: list[Tensor], group: ParameterGroup) -> None:
        for weight in weights:
            if not self.state[weight]:
                zeros = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
                step = torch.zeros((), dtype=torch.float32, device=weight.device)
                self.state[weight] = {"step": step, **zeros}
        states = [self.state[weight] for weight in weights]
        adamw(
            weights,
            [weight.grad for weight in weights],  # type: ignore[misc]
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return matrices (n, rows, columns) with their singular vectors kept and their values near 1.

    A quintic Newton–Schulz iteration; after five steps the values of most matrices lie between 0.7 and 1.2.
    """
    a, b, c = NEWTON_SCHULZ
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    orthogonal: Tensor = x.mT if is_tall else x
    return orthogonal
