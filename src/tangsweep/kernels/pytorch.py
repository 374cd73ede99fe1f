"""The kernels in PyTorch: on every device, in every precision, and wherever there is no C compiler."""

import math

import torch
from torch import Tensor

from tangsweep.kernels.matmul import product

NAME = "torch"
TAKES_LOW_PRECISION = True  # U may be of a lower precision than the rest: its products then are
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # (gradient, σ(a)) → gradient · σ(a)(1 − σ(a))
tanh_backward = torch.ops.aten.tanh_backward.grad_input  # (gradient, tanh(a)) → gradient · (1 − tanh²(a))


def forward(U: Tensor, gates: Tensor, h: Tensor, c: Tensor, tanh_c: Tensor) -> None:
    """Equations 1 to 6 of docs/gradients.md over a sequence, in place.

    `gates` (T, B, 4H) holds x W + b and becomes the activated gates; `h` and `c` (T + 1, B, H) hold the
    initial state in their first row and take the others, `tanh_c` (T, B, H) too.
    """
    H = len(U)
    for t, a in enumerate(gates.unbind(0)):
        product(h[t], U, out=a, add=True, precision=U.dtype)
        i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
        a[:, : 2 * H].sigmoid_()
        g.tanh_()
        o.sigmoid_()
        torch.mul(f, c[t], out=c[t + 1]).addcmul_(i, g)
        torch.tanh(c[t + 1], out=tanh_c[t])
        torch.mul(o, tanh_c[t], out=h[t + 1])


def backward(
    U: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, outputs: Tensor | None, dh: Tensor, dc: Tensor
) -> None:
    """Equations 13 to 18 of docs/gradients.md, in place.

    `gates` become their gradients. `outputs` (T, B, H) is the gradient of all outputs; `dh` and `dc`
    (B, H) are that of the final state and become that of the initial one.
    """
    H, Ut = len(U), U.t()
    part, through = torch.empty_like(dc), torch.empty_like(dc)
    for t in reversed(range(len(gates))):
        a, last = gates[t], c[t]
        i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
        if outputs is not None:
            dh += outputs[t]  # 13
        tanh_backward(torch.mul(dh, o, out=part), tanh_c[t], grad_input=through)
        dc += through  # 14
        sigmoid_backward(torch.mul(dh, tanh_c[t], out=part), o, grad_input=o)  # 16
        torch.mul(dc, last, out=part)
        torch.mul(dc, f, out=through)
        sigmoid_backward(part, f, grad_input=f)  # 15
        torch.mul(dc, g, out=part)
        tanh_backward(dc.mul_(i), g, grad_input=g)
        sigmoid_backward(part, i, grad_input=i)
        dc.copy_(through)  # 18
        dh.zero_()
        product(a, Ut, out=dh, add=True, precision=U.dtype)  # 17


def cross_entropy(z: Tensor, targets: Tensor, scale: float, nats: Tensor) -> None:
    """Equations 21 and 22 of docs/gradients.md, in place: `z` (N, V) become scale · (q − 1_y).

    `targets` (N) are ids, `nats` (N) is written.
    """
    column = targets[:, None]
    total = torch.logsumexp(z, 1, keepdim=True)
    torch.sub(total, z.gather(1, column), out=nats[:, None])
    z.sub_(total - math.log(scale)).exp_()
    z.scatter_add_(1, column, z.new_full(column.shape, -scale))


def hits(z: Tensor, targets: Tensor, hit: Tensor) -> None:
    """Whether the first highest logit of each row of `z` (N, V) is its target, into `hit` (N), a bool."""
    torch.eq(z.argmax(1), targets, out=hit)
