"""Matrix products by the library that is faster for them on this machine.

torch gives float32 products on the CPU to MKL. On a processor that is not Intel's, MKL takes a slow path
where oneDNN does not (docs/performance.md has figures); torch hands large products to oneDNN when told
that "medium" precision will do. Whether the result is a float32 product nevertheless is tried once a
process, and where it is not, everything stays as torch has it. Nothing is timed: the choice depends on
the machine alone, never on what else runs there, and so is the same in every process.
"""

import functools
import platform
from pathlib import Path

import torch
from torch import Tensor

LARGE = 50_000_000  # operations; below it MKL is the faster everywhere
ACCURATE = 1e-6  # relative error against float64 (2-norms); float32 sums of 512 products are at 4e-7


def precision(like: Tensor) -> torch.dtype:
    """What products with `like` are made in: its own precision, under autocast that of autocast."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


def product(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    out: Tensor | None = None,
    add: bool = False,
    precision: torch.dtype | None = None,
) -> Tensor:
    """a (N, K) times b (K, M), plus `bias` (M); into `out`, or with `add` onto what `out` holds.

    The factors are rounded to `precision` first, where one is given; the result has the type of `out`, or
    of `a`.
    """
    kind = (a if out is None else out).dtype
    if precision not in (None, kind):
        return _rounded(a.to(precision) @ b.to(precision), kind, bias, out, add)
    large = 2 * a.shape[0] * b.numel() >= LARGE
    if not large or path(a.device, kind) == "default":
        return _multiply(a, b, bias, out, add)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        return _multiply(a, b, bias, out, add)
    finally:
        torch.set_float32_matmul_precision(before)


def _rounded(found: Tensor, kind: torch.dtype, bias: Tensor | None, out: Tensor | None, add: bool) -> Tensor:
    if add:
        assert out is not None
        return out.add_(found)
    found = found.to(kind) if out is None else out.copy_(found)
    return found if bias is None else found.add_(bias)


def _multiply(a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor | None, add: bool) -> Tensor:
    if add:
        assert out is not None
        return out.addmm_(a, b)
    return torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)


@functools.cache
def onednn() -> bool:
    """Whether large float32 products go to oneDNN here: MKL is slower, and the sums are float32's."""
    backends = torch.backends
    return (
        backends.mkl.is_available()
        and backends.mkldnn.is_available()
        and "GenuineIntel" not in _processor()
        and _error() < ACCURATE
    )


def path(device: torch.device, kind: torch.dtype) -> str:
    """What a record says of large products of `kind` on `device`: onednn, or what torch does by default."""
    return "onednn" if device.type == "cpu" and kind == torch.float32 and onednn() else "default"


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    return described.read_text(encoding="utf-8") if described.exists() else platform.processor()


def _error() -> float:
    """The largest relative error of "medium" products, in the three layouts that training has."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    layouts = ((a, b), (a, b.t()), (a.t(), b))
    exact = [x.double() @ y.double() for x, y in layouts]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        errors = [(x @ y - e).norm() / e.norm() for (x, y), e in zip(layouts, exact, strict=True)]
        return max(error.item() for error in errors)
    finally:
        torch.set_float32_matmul_precision(before)
