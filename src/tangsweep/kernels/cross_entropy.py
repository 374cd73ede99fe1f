"""The output layer and its cross-entropy as one operation, its gradient derived by hand.

Logits exist for a chunk of positions at a time, in one buffer: they become probabilities and then their
own gradient there (equations 21 to 24 of docs/gradients.md), while they are in the cache. What autograd
would keep, the logits of all positions and their logarithms, is never made.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from tangsweep.kernels.matmul import precision, product
from tangsweep.kernels.select import Kernels, select_kernels

CHUNK = 512  # positions at a time: fewer, and products lose speed; more, and logits leave the cache


class Given(NamedTuple):
    """What the operation is of."""

    hidden: Tensor  # (N, H)
    weight: Tensor  # (V, H)
    bias: Tensor  # (V)


class How(NamedTuple):
    """Of which targets (N) it is, by which kernels, and of which precision the products are."""

    targets: Tensor
    kernels: Kernels
    products: torch.dtype


def cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """The mean of the nats of `targets` (N), and the nats (N) themselves, which have no gradient.

    Logits are hidden (N, H) · weight (V, H)ᵀ + bias (V). Raises ValueError where N is 0, RuntimeError where
    a gradient of a gradient is asked for.
    """
    if not len(targets):
        raise ValueError("no position is scored: every target is −1")
    kernels = select_kernels(kernel, hidden.device, hidden.dtype)
    how = How(targets.contiguous(), kernels, precision(hidden))
    with torch.autocast(hidden.device.type, enabled=False):
        return _CrossEntropy.apply(how, hidden, weight, bias)


def scored(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """The nats of `targets` (N), and whether each has the highest logit (the first of equals)."""
    how = How(targets.contiguous(), select_kernels(kernel, hidden.device, hidden.dtype), hidden.dtype)
    hit = torch.empty(len(hidden), dtype=torch.bool, device=hidden.device)
    with torch.no_grad():
        nats, _ = _pass(Given(hidden, weight, bias), how, (False,) * 3, hit)
    return nats, hit


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, how: How, *given: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*given)
        nats, ctx.gradient = _pass(Given(*given), how, ctx.needs_input_grad[1:])
        ctx.how = how
        ctx.mark_non_differentiable(nats)
        return nats.mean(), nats

    @staticmethod
    def backward(ctx: Any, dmean: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("no gradient of a gradient here: torch.nn.functional.cross_entropy has one")
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:  # of a graph that was retained: autograd may write into what it was given
            gradient = _pass(Given(*ctx.saved_tensors), ctx.how, ctx.needs_input_grad[1:])[1]
        return None, *(None if part is None else _scaled(part, dmean) for part in gradient)


def _scaled(gradient: Tensor, dmean: Tensor) -> Tensor:
    """In place; mostly it is 1, which is asked where asking does not wait for the device."""
    alone = dmean.device.type == "cpu" and dmean.item() == 1
    return gradient if alone else gradient.mul_(dmean)


def _pass(
    given: Given, how: How, needed: tuple[bool, ...], hit: Tensor | None = None
) -> tuple[Tensor, list[Tensor | None]]:
    """The nats, and the gradients of their mean with respect to what of `given` is `needed`.

    `hit` (N) takes whether the target has the highest logit.
    """
    hidden, weight, bias = given
    N = len(hidden)
    made = zip(given, needed, strict=True)
    dh, dW, db = (torch.empty_like(part) if wanted else None for part, wanted in made)
    nats = hidden.new_empty(N)
    rows = max(1, min(N, CHUNK))
    buffer = hidden.new_empty(rows, len(weight))
    low, weight = hidden.to(how.products), weight.to(how.products)
    for start in range(0, N, rows):
        part = slice(start, start + rows)
        z = buffer[: len(low[part])]
        product(low[part], weight.t(), bias, out=z, precision=how.products)
        if hit is not None:
            how.kernels.hits(z, how.targets[part], hit[part])
        how.kernels.cross_entropy(z, how.targets[part], 1 / N, nats[part])  # 21, 22
        if dh is not None:
            product(z, weight, out=dh[part], precision=how.products)  # 23
        if dW is not None:
            product(z.t(), low[part], out=dW, add=start > 0, precision=how.products)  # 24
        if db is not None:
            torch.sum(z, 0, out=db) if not start else db.add_(z.sum(0))
    return nats, [dh, dW, db]
