"""The output layer and its cross-entropy as one operation, against torch's on logits, in float64."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tangsweep.kernels import cross_entropy as module
from tangsweep.kernels.cross_entropy import cross_entropy, cross_entropy_and_hits

every_kernel = pytest.mark.parametrize("kernel", ["torch", "native"])
SIZES = [(1, 1, 1), (5, 3, 2), (40, 6, 17), (33, 4, 129)]  # N, H, V


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(3)
    yield
    torch.set_default_dtype(torch.float32)


def random_inputs(N: int, H: int, V: int) -> tuple[list[Tensor], Tensor]:
    return [torch.randn(*s, requires_grad=True) for s in ((N, H), (V, H), (V,))], torch.randint(V, (N,))


@every_kernel
@pytest.mark.parametrize(("N", "H", "V"), SIZES)
@pytest.mark.parametrize("chunk", [1, 4, 10**6])
def test_parity_with_torch(
    kernel: str, N: int, H: int, V: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    (hidden, weight, bias), targets = random_inputs(N, H, V)
    incoming = torch.randn(())
    mean, nats = cross_entropy(hidden, weight, bias, targets, kernel)
    theirs = F.cross_entropy(hidden @ weight.t() + bias, targets, reduction="none")
    torch.testing.assert_close(nats, theirs.detach(), rtol=1e-10, atol=1e-12)
    assert not nats.requires_grad
    inputs = (hidden, weight, bias)
    for mine, other in zip(
        torch.autograd.grad(mean, inputs, incoming),
        torch.autograd.grad(theirs.mean(), inputs, incoming),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


@every_kernel
def test_gradients_are_those_of_differences(kernel: str) -> None:
    inputs, targets = random_inputs(4, 3, 5)
    assert torch.autograd.gradcheck(lambda *tensors: cross_entropy(*tensors, targets, kernel)[0], inputs)


@every_kernel
def test_only_inputs_that_need_a_gradient_get_one(kernel: str) -> None:
    (hidden, weight, bias), targets = random_inputs(4, 3, 5)
    mean, _ = cross_entropy(hidden, weight.detach(), bias.detach(), targets, kernel)
    [ours] = torch.autograd.grad(mean, [hidden])
    [theirs] = torch.autograd.grad(F.cross_entropy(hidden @ weight.t() + bias, targets), [hidden])
    torch.testing.assert_close(ours, theirs)


@every_kernel
def test_a_graph_that_is_retained_gives_the_same_gradient_twice(kernel: str) -> None:
    inputs, targets = random_inputs(4, 3, 5)
    mean, _ = cross_entropy(*inputs, targets, kernel)
    first, second = (torch.autograd.grad(2 * mean, inputs, retain_graph=True) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(RuntimeError, match="no gradient of a gradient"):
        torch.autograd.grad(mean, inputs, create_graph=True)


@every_kernel
def test_large_logits_do_not_overflow_and_nan_and_infinity_stay(kernel: str) -> None:
    hidden, weight = torch.tensor([[1.0], [1.0]]), torch.tensor([[9e3], [-9e3], [0.0]])
    targets = torch.tensor([0, 1])
    _, nats = cross_entropy(hidden, weight, torch.zeros(3), targets, kernel)
    assert nats.tolist() == [0, 18e3]
    for wrong in (float("nan"), float("inf")):
        weight[2] = wrong
        mean, nats = cross_entropy(hidden, weight, torch.zeros(3), targets, kernel)
        assert not mean.isfinite() and not nats.isfinite().any()


@every_kernel
def test_a_hit_is_the_first_highest_logit(kernel: str) -> None:
    weight, bias = torch.zeros(40, 2), torch.zeros(40)
    bias[[3, 21]] = 1.0
    targets = torch.arange(40)
    nats, hits = cross_entropy_and_hits(torch.randn(40, 2), weight, bias, targets, kernel)
    assert hits.nonzero().tolist() == [[3]]
    torch.testing.assert_close(nats, F.cross_entropy(bias.expand(40, 40), targets, reduction="none"))
    nats, hits = cross_entropy_and_hits(
        torch.randn(40, 2), weight, torch.full((40,), float("nan")), targets, kernel
    )
    assert nats.isnan().all()


@every_kernel
def test_single_precision_is_within_its_rounding(kernel: str) -> None:
    inputs, targets = random_inputs(50, 20, 300)
    exact, nats = cross_entropy(*inputs, targets, kernel)
    expected = torch.autograd.grad(exact, inputs)
    low = [t.detach().float().requires_grad_() for t in inputs]
    mean, low_nats = cross_entropy(*low, targets, kernel)
    torch.testing.assert_close(low_nats.double(), nats, rtol=2e-6, atol=2e-6)
    for a, b in zip(torch.autograd.grad(mean, low), expected, strict=True):
        assert ((a - b).norm() / b.norm()).item() < 1e-6


def test_nothing_to_score_is_an_error() -> None:
    inputs, targets = random_inputs(1, 3, 5)
    with pytest.raises(ValueError, match="no position is scored"):
        cross_entropy(inputs[0][:0], *inputs[1:], targets[:0])
