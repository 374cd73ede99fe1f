"""The output layer and its cross-entropy as one autograd operation, with its gradient derived by hand.

Logits exist for one chunk of positions at a time, in one buffer. There they become probabilities and then
their own gradient (equations 21 to 24 of docs/gradients.md) while they are in the cache. The logits of all
positions and their logarithms, which autograd would keep, never exist.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from tangsweep.kernels.matmul import matmul, matmul_dtype
from tangsweep.kernels.select import Kernels, select_kernels

CHUNK = 512  # positions; with fewer, products are slower, with more, logits leave the cache


class OutputLayerInputs(NamedTuple):
    """The tensors that the operation reads."""

    hidden: Tensor  # (N, H)
    weight: Tensor  # (V, H)
    bias: Tensor  # (V)


class CrossEntropyOptions(NamedTuple):
    """The targets, the kernels, and the precision of matrix products."""

    targets: Tensor  # (N)
    kernels: Kernels
    precision: torch.dtype


def cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy of `targets` (N) in nats, and that of each (N), which has no gradient.

    Logits are hidden (N, H) · weight (V, H)ᵀ + bias (V). `kernel` is auto, torch or native. Raises ValueError
    where N is 0, and RuntimeError where a gradient of a gradient is computed.
    """
    options = cross_entropy_options(hidden, targets, kernel)
    apply: Callable[..., tuple[Tensor, Tensor]] = _CrossEntropy.apply
    with torch.autocast(hidden.device.type, enabled=False):
        return apply(options, hidden, weight, bias)


def cross_entropy_options(hidden: Tensor, targets: Tensor, kernel: str) -> CrossEntropyOptions:
    """Return the kernels and the precision for `targets` (N). Raises ValueError where N is 0."""
    if not len(targets):
        raise ValueError("no position is scored: every target is −1")
    kernels = select_kernels(kernel, hidden.device, hidden.dtype)
    return CrossEntropyOptions(targets.contiguous(), kernels, matmul_dtype(hidden))


def cross_entropy_and_hits(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """Return the nats of `targets` (N), and whether each has the highest logit (the first of equal ones)."""
    kernels = select_kernels(kernel, hidden.device, hidden.dtype)
    options = CrossEntropyOptions(targets.contiguous(), kernels, hidden.dtype)
    hit = torch.empty(len(hidden), dtype=torch.bool, device=hidden.device)
    with torch.no_grad():
        nats, _ = compute_cross_entropy(OutputLayerInputs(hidden, weight, bias), options, (False,) * 3, hit)
    return nats, hit


class _Context(FunctionCtx):
    """The autograd context, through which the forward pass hands values to the backward pass."""

    saved_tensors: tuple[Tensor, Tensor, Tensor]  # OutputLayerInputs
    needs_input_grad: tuple[bool, ...]  # of the options, then of OutputLayerInputs
    options: CrossEntropyOptions
    gradients: list[Tensor | None] | None  # None once a backward pass has returned them


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _Context, options: CrossEntropyOptions, hidden: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(hidden, weight, bias)
        inputs = OutputLayerInputs(hidden, weight, bias)
        nats, ctx.gradients = compute_cross_entropy(inputs, options, ctx.needs_input_grad[1:])
        ctx.options = options
        ctx.mark_non_differentiable(nats)
        return nats.mean(), nats

    @staticmethod
    def backward(ctx: _Context, dmean: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("no gradient of a gradient here: torch.nn.functional.cross_entropy has one")
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a retained graph: autograd may have written into what it was given before
            inputs = OutputLayerInputs(*ctx.saved_tensors)
            _, gradients = compute_cross_entropy(inputs, ctx.options, ctx.needs_input_grad[1:])
        return None, *(None if gradient is None else _scale(gradient, dmean) for gradient in gradients)


def _scale(gradient: Tensor, dmean: Tensor) -> Tensor:
    """Multiply in place. `dmean` mostly is 1; only on the CPU can that be tested without waiting."""
    is_one = dmean.device.type == "cpu" and dmean.item() == 1
    return gradient if is_one else gradient.mul_(dmean)


def compute_cross_entropy(
    inputs: OutputLayerInputs,
    options: CrossEntropyOptions,
    needed: tuple[bool, ...],
    hit: Tensor | None = None,
) -> tuple[Tensor, list[Tensor | None]]:
    """Return the nats (N), and the gradients of their mean for those `inputs` that are `needed`.

    `hit` (N) is filled with whether the target has the highest logit.
    """
    hidden, weight, bias = inputs
    targets, kernels, precision = options
    N = len(hidden)
    dh, dW, db = (torch.empty_like(t) if need else None for t, need in zip(inputs, needed, strict=True))
    nats = hidden.new_empty(N)
    rows = max(1, min(N, CHUNK))
    buffer = hidden.new_empty(rows, len(weight))
    hidden, weight = hidden.to(precision), weight.to(precision)
    for start in range(0, N, rows):
        chunk = slice(start, start + rows)
        z = buffer[: len(hidden[chunk])]
        matmul(hidden[chunk], weight.t(), bias, out=z, precision=precision)
        if hit is not None:
            kernels.hits(z, targets[chunk], hit[chunk])
        kernels.cross_entropy(z, targets[chunk], 1 / N, nats[chunk])  # 21, 22
        if dh is not None:
            matmul(z, weight, out=dh[chunk], precision=precision)  # 23
        if dW is not None:
            matmul(z.t(), hidden[chunk], out=dW, add=start > 0, precision=precision)  # 24
        if db is not None:
            torch.sum(z, 0, out=db) if not start else db.add_(z.sum(0))
    return nats, [dh, dW, db]
