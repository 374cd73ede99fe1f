"""The C kernels compute what PyTorch's compute, in both precisions, whatever the number of threads."""

import pytest
import torch
from torch import Tensor

from tangsweep.kernels import native, pytorch
from tangsweep.kernels.select import select_kernels

SIZES = [(1, 1, 1), (3, 1, 16), (4, 2, 5), (6, 7, 33), (5, 13, 64), (3, 17, 100), (2, 64, 128)]  # T, B, H
TOLERANCES = {torch.float32: 2e-5, torch.float64: 1e-12}


def sequence(T: int, B: int, H: int, dtype: torch.dtype) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(T * 100 + B * 10 + H)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    names = {"U": (H, 4 * H), "gates": (T, B, 4 * H), "h": (T + 1, B, H), "c": (T + 1, B, H)}
    tensors = {name: random(*shape) for name, shape in names.items()}
    tensors["U"] /= H**0.5
    return (
        tensors
        | {name: random(T, B, H) for name in ("tanh_c", "outputs")}
        | {n: random(B, H) for n in ("dh", "dc")}
    )


def through_time(kernels, s: dict[str, Tensor], outputs: bool = True) -> list[Tensor]:  # type: ignore[no-untyped-def]
    """Return everything that forward and backward write."""
    s = {name: tensor.clone() for name, tensor in s.items()}
    kernels.forward(s["U"], s["gates"], s["h"], s["c"], s["tanh_c"])
    forward = [s[name].clone() for name in ("gates", "h", "c", "tanh_c")]
    doutputs = s["outputs"] if outputs else None
    kernels.backward(s["U"], s["gates"], s["c"], s["tanh_c"], doutputs, s["dh"], s["dc"])
    return [*forward, s["gates"], s["dh"], s["dc"]]


@pytest.mark.parametrize(("T", "B", "H"), SIZES)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("outputs", [True, False])
def test_both_kernels_agree(T: int, B: int, H: int, dtype: torch.dtype, outputs: bool) -> None:
    s = sequence(T, B, H, dtype)
    for ours, theirs in zip(through_time(native, s, outputs), through_time(pytorch, s, outputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    s = sequence(5, 13, 64, torch.float32)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(native, "_threads", lambda operations, n=threads: n)
        z = torch.randn(9, 50, generator=torch.Generator().manual_seed(1))
        nats = torch.empty(9)
        native.cross_entropy(z, torch.arange(9), 0.5, nats)
        results.append([*through_time(native, s), z, nats])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("kernels", [native, pytorch])
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_nan_stays_nan(kernels, dtype: torch.dtype) -> None:  # type: ignore[no-untyped-def]
    s = sequence(3, 2, 20, dtype)
    s["gates"][0, 0, 5] = float("nan")
    _, h, c, _, gates, *_ = through_time(kernels, s)
    assert h[1, 0, 5].isnan() and c[1, 0, 5].isnan()
    assert h[2, 0].isnan().all() and gates[0, 0].isnan().any()
    assert not h[:, 1].isnan().any()


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_gates_are_exact_where_they_are_small_and_where_they_saturate(dtype: torch.dtype) -> None:
    """One unit, no recurrence: σ and tanh over their whole range, in units of the last place."""
    a = torch.cat(
        [
            torch.linspace(-100, 100, 4001, dtype=torch.float64),
            torch.logspace(-30, 1, 400, dtype=torch.float64),
        ]
    )
    a = torch.cat([a, -a]).to(dtype)
    gates = a[None, :, None].expand(1, len(a), 4).contiguous()
    h, c, tanh_c = (torch.zeros(n, len(a), 1, dtype=dtype) for n in (2, 2, 1))
    native.forward(torch.zeros(1, 4, dtype=dtype), gates, h, c, tanh_c)
    exact = a.double()
    for ours, theirs in ((gates[0, :, 0], exact.sigmoid()), (gates[0, :, 2], exact.tanh())):
        near = theirs.abs() > torch.finfo(dtype).tiny * 4
        error = ((ours.double() - theirs) / theirs)[near].abs().max().item()
        assert error < 6 * torch.finfo(dtype).eps
        assert ours[~near].abs().max().item() <= torch.finfo(dtype).tiny * 8 if (~near).any() else True


def test_strided_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        native.cross_entropy(torch.randn(4, 3).t(), torch.zeros(3, dtype=torch.long), 1.0, torch.empty(3))


def test_the_kernels_that_are_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert (
        select_kernels("auto", cpu, torch.float32) is select_kernels("native", cpu, torch.float64) is native
    )
    assert (
        select_kernels("torch", cpu, torch.float32) is select_kernels("auto", cpu, torch.bfloat16) is pytorch
    )
    assert select_kernels("auto", torch.device("cuda"), torch.float32) is pytorch
    monkeypatch.setattr(native, "why_unavailable", lambda real: "no C compiler (cc) was found")
    assert select_kernels("auto", cpu, torch.float32) is pytorch
    with pytest.raises(ValueError, match="no kernel fast; there are: auto, torch, native"):
        select_kernels("fast", cpu, torch.float32)
