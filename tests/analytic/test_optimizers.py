"""Every NumPy optimizer against torch.optim over 50 steps of random gradients, in float64."""

import numpy as np
import pytest
import torch

from tangsweep.analytic.optimizers import OPTIMIZERS

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "keywords"), CASES, ids=lambda v: str(v))
def test_fifty_steps(name: str, keywords: dict) -> None:  # type: ignore[type-arg]
    random = np.random.default_rng(0)
    ours = random.standard_normal((4, 3))
    theirs = torch.nn.Parameter(torch.from_numpy(ours.copy()))
    mine, other = OPTIMIZERS[name](**keywords), getattr(torch.optim, name)([theirs], **keywords)
    state: dict[str, np.ndarray] = {}
    for _ in range(50):
        gradient = random.standard_normal((4, 3)) * 10 ** random.uniform(-6, 2)
        unchanged = gradient.copy()
        theirs.grad = torch.from_numpy(gradient.copy())
        mine.update(ours, gradient, state)
        other.step()
        np.testing.assert_array_equal(gradient, unchanged)  # the caller's gradient is left alone
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_every_optimizer_is_tried() -> None:
    assert {name for name, _ in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("SGD", {"lr": -1}),
        ("SGD", {"lr": 1, "nesterov": True}),
        ("SGD", {"lr": 1, "momentum": -0.1}),
        ("Adagrad", {"lr": 1, "eps": -1}),
        ("Adadelta", {"lr": 1, "rho": 2}),
        ("RMSprop", {"lr": 1, "weight_decay": -1}),
        ("Adam", {"lr": 1, "betas": (0.9, 1.5)}),
    ],
)
def test_values_that_torch_refuses_are_refused(name: str, keywords: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="is invalid"):
        OPTIMIZERS[name](**keywords)
    with pytest.raises(ValueError):
        getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))], **keywords)


def test_a_gradient_of_another_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"gradient: expected shape \(4, 3\), got \(3,\)"):
        OPTIMIZERS["SGD"](lr=1).update(np.zeros((4, 3)), np.zeros(3), {})
