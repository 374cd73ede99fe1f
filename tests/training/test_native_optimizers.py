"""Updates in C are those of torch's classes, up to rounding; states and checkpoints go both ways."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from tangsweep.kernels import native
from tangsweep.training.native_optimizers import NATIVE_OPTIMIZERS
from tangsweep.training.optimizer_factories import optimizer_factories
from tests.conftest import SMALL, Ran, configured, prepare

pytestmark = pytest.mark.skipif(native.why_unavailable() is not None, reason="no C compiler")

SHAPES = ((7, 5), (33,), (), (300, 41))
VARIANTS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (torch.optim.RMSprop, {}),
    (torch.optim.RMSprop, {"weight_decay": 0.1, "momentum": 0.9, "alpha": 0.9}),
    (torch.optim.RMSprop, {"centered": True, "eps": 1e-3}),
    (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    (torch.optim.Adadelta, {"lr": 1.0}),
    (torch.optim.Adadelta, {"rho": 0.95, "weight_decay": 0.1, "eps": 1e-5}),
    (torch.optim.Adamax, {"betas": (0.8, 0.99), "weight_decay": 0.1}),
    (torch.optim.NAdam, {"momentum_decay": 0.01}),
    (torch.optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (torch.optim.NAdam, {"weight_decay": 0.1}),
    (torch.optim.RAdam, {"weight_decay": 0.1}),
    (torch.optim.RAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True, "betas": (0.9, 0.9)}),
]
EACH_VARIANT = pytest.mark.parametrize(("kind", "options"), VARIANTS)


class Trained:
    """Weights and their optimizer; `train` makes steps with gradients that follow from the step's number."""

    def __init__(
        self, make: Callable[..., Optimizer], dtype: torch.dtype, options: Mapping[str, Any]
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weights = [
            torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in SHAPES
        ]
        self.optimizer = make(self.weights, **options)

    def train(self, steps: range) -> "Trained":
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            for weight in self.weights:
                weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)
            self.optimizer.step()
        return self

    def load(self, other: "Trained") -> "Trained":
        """Continue from the weights and the state of `other`."""
        with torch.no_grad():
            for own, theirs in zip(self.weights, other.weights, strict=True):
                own.copy_(theirs)
        self.optimizer.load_state_dict(copy.deepcopy(other.optimizer.state_dict()))
        return self

    def numbers(self) -> Iterator[torch.Tensor]:
        yield from self.weights
        for state in self.optimizer.state_dict()["state"].values():
            yield from state.values()


def assert_close(ours: Trained, theirs: Trained, tolerance: float) -> None:
    names: Sequence[Any] = [list(t.optimizer.state_dict()["state"][0]) for t in (ours, theirs)]
    assert names[0] == names[1]
    for a, b in zip(ours.numbers(), theirs.numbers(), strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance / 10)


@EACH_VARIANT
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 5e-5)])
def test_thirty_steps(
    kind: type[Optimizer], options: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    ours, theirs = (Trained(k, dtype, options) for k in (NATIVE_OPTIMIZERS[kind], kind))
    assert_close(ours.train(range(30)), theirs.train(range(30)), tolerance)


@EACH_VARIANT
def test_a_state_goes_both_ways(kind: type[Optimizer], options: dict[str, Any]) -> None:
    half = Trained(kind, torch.float64, options).train(range(10))
    expected = Trained(kind, torch.float64, options).load(half).train(range(10, 20))
    for first, then in ((kind, NATIVE_OPTIMIZERS[kind]), (NATIVE_OPTIMIZERS[kind], kind)):
        begun = Trained(first, torch.float64, options).train(range(10))
        continued = Trained(then, torch.float64, options).load(begun).train(range(10, 20))
        assert_close(continued, expected, 1e-11)


@EACH_VARIANT
def test_the_update_is_the_kernels_after_the_first_step(
    kind: type[Optimizer], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(native, "update", lambda rule, *_: called.append(rule))
    ours = Trained(NATIVE_OPTIMIZERS[kind], torch.float32, options).train(range(3))
    assert len(called) == 2 and {called[0]} == set(called)
    ours.optimizer.param_groups[0]["maximize"] = True
    ours.train(range(1))
    assert len(called) == 2, "an option that the kernels lack is torch's"


@EACH_VARIANT
def test_weights_without_a_gradient_stay(kind: type[Optimizer], options: dict[str, Any]) -> None:
    ours = Trained(NATIVE_OPTIMIZERS[kind], torch.float32, options).train(range(2))
    before = [weight.clone() for weight in ours.weights]
    for weight in ours.weights[1:]:
        weight.grad = None
    ours.optimizer.step()
    changed = [not torch.equal(a, b) for a, b in zip(before, ours.weights, strict=True)]
    assert changed == [True, False, False, False]


@EACH_VARIANT
def test_a_gradient_that_is_not_a_number_is_not_hidden(
    kind: type[Optimizer], options: dict[str, Any]
) -> None:
    ours = Trained(NATIVE_OPTIMIZERS[kind], torch.float32, options).train(range(2))
    grad = ours.weights[0].grad
    assert grad is not None
    grad.fill_(float("nan"))
    ours.optimizer.step()
    assert ours.weights[0].isnan().all()


def test_threads_do_not_change_a_bit() -> None:
    def train(threads: int) -> torch.Tensor:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            weight = torch.nn.Parameter(torch.linspace(-1, 1, 150_001))
            optimizer = NATIVE_OPTIMIZERS[torch.optim.Adadelta]([weight], lr=1.0)
            for _ in range(3):
                weight.grad = weight.detach() ** 2
                optimizer.step()
            return weight.detach()
        finally:
            torch.set_num_threads(before)

    assert torch.equal(train(1), train(2)) and torch.equal(train(1), train(3))


@pytest.mark.parametrize(
    ("options", "is_native"),
    [
        (("optimizer=rmsprop",), True),
        (("optimizer=nadam", "trainer.precision=64-true"), True),
        (("optimizer=rmsprop", "optimizer.kernel=torch"), False),
        (("optimizer=adadelta", "trainer.precision=bf16-true"), False),
        (("optimizer=adam",), False),
    ],
)
def test_the_config_chooses(options: Sequence[str], is_native: bool) -> None:
    make = optimizer_factories(prepare(configured(*SMALL, *options)).config).make_optimizer
    optimizer = make([{"params": [torch.nn.Parameter(torch.zeros(3))]}])
    assert (type(optimizer) in NATIVE_OPTIMIZERS.values()) is is_native


@pytest.mark.parametrize("name", ["rmsprop", "adadelta", "adamax", "nadam", "radam"])
def test_a_run_is_nearly_that_of_torch(train: Callable[..., Ran], name: str) -> None:
    options = (f"optimizer={name}", "optimizer.lr=0.001")
    ours, theirs = (train(*options, f"optimizer.kernel={k}", f"sweep.name={k}") for k in ("auto", "torch"))
    assert ours.result["config_hash"] == theirs.result["config_hash"]  # only the last bits differ
    assert ours.result["dev"]["loss"] == pytest.approx(theirs.result["dev"]["loss"], rel=1e-5)
