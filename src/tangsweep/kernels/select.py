"""Which kernels compute: what `cell.kernel` asks for, where it can be had."""

from typing import Any, cast

import torch

from tangsweep.kernels import build, native, pytorch

NAMES = ("auto", "torch", "native")
Kernels = Any  # the module `native` or `pytorch`: the same functions under the same names


def select_kernels(name: str, device: torch.device, kind: torch.dtype) -> Kernels:
    """`native` for tensors of `kind` on `device` where it can be had and `name` is not torch, else `pytorch`.

    Raises ValueError for a name that NAMES lacks.
    """
    if name not in NAMES:
        raise ValueError(f"no kernel {name}; there are: {', '.join(NAMES)}")
    real = native.LIBRARIES.get(kind) if device.type == "cpu" and name != "torch" else None
    return cast(Kernels, pytorch if real is None or build.missing(real) else native)
