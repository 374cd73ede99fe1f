"""An LSTM over a whole sequence as one operation, its gradient derived by hand.

What cells/lstm.py says step by step, and autograd would differentiate step by step, with the equations
of docs/gradients.md: the input projection of all steps is one matrix product before the loop, the
gradients of W, U, b and x one product each after it. Between them a kernel goes through time in place:
the gates' memory takes their activations, and then their gradients.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from tangsweep.kernels.matmul import precision, product
from tangsweep.kernels.select import Kernels, select_kernels


class Given(NamedTuple):
    """What the operation is of."""

    x: Tensor  # (T, B, E)
    W: Tensor  # (E, 4H)
    U: Tensor  # (H, 4H)
    b: Tensor  # (4H)
    h: Tensor | None  # (B, H), None: zeros
    c: Tensor | None  # (B, H), None: zeros


class Trace(NamedTuple):
    """What the backward pass needs; h[t] and c[t] are the states before step t."""

    gates: Tensor  # (T, B, 4H), activated
    h: Tensor  # (T + 1, B, H)
    c: Tensor  # (T + 1, B, H)
    tanh_c: Tensor  # (T, B, H), tanh of c[1:]


class How(NamedTuple):
    """By which kernels, and of which precision the products are: under autocast not that of x."""

    kernels: Kernels
    products: torch.dtype


def lstm_sequence(
    x: Tensor, W: Tensor, U: Tensor, b: Tensor, h: Tensor | None, c: Tensor | None, kernel: str = "auto"
) -> tuple[Tensor, Tensor]:
    """x (T, B, E) → all hidden states (T, B, H) and the last c (B, H); `h` and `c` None are zeros.

    W (E, 4H), U (H, 4H) and b (4H) hold the gates in the order i, f, g, o. Raises RuntimeError where a
    gradient of a gradient is asked for.
    """
    how = How(select_kernels(kernel, x.device, x.dtype), precision(x))
    with torch.autocast(x.device.type, enabled=False):
        return _Sequence.apply(how, x, W, U, b, h, c)


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, how: How, *given: Any) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*given)
        ctx.set_materialize_grads(False)
        ctx.how, ctx.trace = how, _forward(Given(*given), how)
        return ctx.trace.h[1:], ctx.trace.c[-1]

    @staticmethod
    def backward(ctx: Any, outputs: Tensor | None, last: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("no gradient of a gradient here: cells.unroll.step_by_step has one")
        given, trace, ctx.trace = Given(*ctx.saved_tensors), ctx.trace, None
        if trace is None:  # of a graph that was retained, the first pass has used it up
            trace = _forward(given, ctx.how)
        return None, *_backward(given, trace, ctx.how, outputs, last, ctx.needs_input_grad[1:])


def _forward(given: Given, how: How) -> Trace:
    x, W, U, b, h, c = given
    (T, B, E), H = x.shape, len(U)
    gates = product(x.reshape(T * B, E), W, b, precision=how.products).view(T, B, 4 * H)
    trace = Trace(gates, *(x.new_empty(T + more, B, H) for more in (1, 1, 0)))
    for states, first in ((trace.h, h), (trace.c, c)):
        states[0] = 0 if first is None else first
    how.kernels.forward(_recurrent(U, how), *trace)
    return trace


def _backward(
    given: Given,
    trace: Trace,
    how: How,
    outputs: Tensor | None,
    last: Tensor | None,
    needed: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients of `given` from those of all outputs and of the last c."""
    x, W, U = given[:3]
    T, B, H = trace.tanh_c.shape
    dh = x.new_zeros(B, H)
    dc = torch.zeros_like(dh) if last is None else last.clone(memory_format=torch.contiguous_format)
    outputs = None if outputs is None else outputs.contiguous()
    how.kernels.backward(_recurrent(U, how), trace.gates, trace.c, trace.tanh_c, outputs, dh, dc)
    gates, before = trace.gates.view(T * B, 4 * H), trace.h[:-1].view(T * B, H)
    return [
        product(gates, W.t(), precision=how.products).view_as(x) if needed[0] else None,  # 20
        product(x.reshape(T * B, -1).t(), gates, precision=how.products) if needed[1] else None,  # 19
        product(before.t(), gates, precision=how.products) if needed[2] else None,
        gates.sum(0) if needed[3] else None,
        dh if needed[4] else None,
        dc if needed[5] else None,
    ]


def _recurrent(U: Tensor, how: How) -> Tensor:
    return U.to(how.products) if how.kernels.TAKES_LOW_PRECISION else U.contiguous()
