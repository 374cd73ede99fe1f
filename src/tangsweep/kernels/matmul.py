"""Matrix products by the library that is faster for them on this machine.

torch gives float32 products on the CPU to MKL. On a processor that is not Intel's, MKL takes a slow path
where oneDNN does not (docs/performance.md has figures); torch hands large products to oneDNN when the
"medium" precision is set. Once in a process it is tried whether the result still is a float32 product; where
it is not, torch's default stays. Nothing is timed: the choice depends on the machine alone, so that every
process makes the same.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from tangsweep.machine import is_intel

MIN_OPERATIONS = 50_000_000  # for smaller products MKL is faster on every machine
MAX_ERROR = 1e-6  # relative error against float64 (2-norms); float32 sums of 512 products have 4e-7


def matmul_dtype(like: Tensor) -> torch.dtype:
    """Return the precision of products with `like`: its own, under autocast that of autocast."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


def matmul(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    out: Tensor | None = None,
    add: bool = False,
    precision: torch.dtype | None = None,
) -> Tensor:
    """Return a (N, K) times b (K, M), plus `bias` (M).

    The result goes into `out` where there is one; with `add` it is added to what `out` holds. It has the
    dtype of `out`, else of `a`. Both factors are first rounded to `precision`, if there is one.
    """
    dtype = (a if out is None else out).dtype
    if precision not in (None, dtype):
        return _finish(a.to(precision) @ b.to(precision), dtype, bias, out, add)
    is_large = 2 * a.shape[0] * b.numel() >= MIN_OPERATIONS
    if not is_large or matmul_backend(a.device, dtype) == "default":
        return _multiply(a, b, bias, out, add)
    precision_before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        return _multiply(a, b, bias, out, add)
    finally:
        torch.set_float32_matmul_precision(precision_before)


def _finish(
    product: Tensor, dtype: torch.dtype, bias: Tensor | None, out: Tensor | None, add: bool
) -> Tensor:
    """Convert a product of lower precision, and add what is to be added to it."""
    if add:
        assert out is not None
        return out.add_(product)
    result = product.to(dtype) if out is None else out.copy_(product)
    return result if bias is None else result.add_(bias)


def _multiply(a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor | None, add: bool) -> Tensor:
    if add:
        assert out is not None
        return out.addmm_(a, b)
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)


@functools.cache
def uses_onednn() -> bool:
    """Return whether large float32 products go to oneDNN: MKL is slow here, and oneDNN accurate."""
    libraries: tuple[Callable[[], bool], ...] = (
        torch.backends.mkl.is_available,
        torch.backends.mkldnn.is_available,
    )
    has_both = all(is_available() for is_available in libraries)
    return has_both and not is_intel() and _largest_error() < MAX_ERROR


def matmul_backend(device: torch.device, dtype: torch.dtype) -> str:
    """Return onednn or default: which library computes large products, as runs record it."""
    return "onednn" if device.type == "cpu" and dtype == torch.float32 and uses_onednn() else "default"


def _largest_error() -> float:
    """Return the largest relative error of "medium" products in the three layouts that training uses."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    layouts = ((a, b), (a, b.t()), (a.t(), b))
    exact = [x.double() @ y.double() for x, y in layouts]
    precision_before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        errors = [(x @ y - e).norm() / e.norm() for (x, y), e in zip(layouts, exact, strict=True)]
        return max(float(error) for error in errors)
    finally:
        torch.set_float32_matmul_precision(precision_before)
