"""Each Jacobian of one step against torch's autograd and against central differences, in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tangsweep.analytic import one_step
from tangsweep.analytic.lstm import Parameters
from tangsweep.analytic.one_step import Step

GATES = "ifco"  # c is the proposal c̃, as in W_c and b_c
NAMES = ["i", "f", "g", "c", "c_prev", "o", "h_prev", "x"] + [f"{m}_{k}" for m in "WUb" for k in GATES]
# seed, E, H, scale of the weights, and what is added to every other unit's biases, to saturate its gates.
CASES = [
    (0, 1, 1, 1.0, 0),
    (1, 3, 4, 1.0, 0),
    (2, 6, 5, 0.3, 0),
    (3, 4, 4, 4.0, 0),
    (4, 2, 6, 1.0, 20),
    (5, 2, 6, 1.0, -20),
]


def step_of(seed: int, E: int, H: int, scale: float, saturation: float) -> Step:
    random = np.random.default_rng(seed)
    p = Parameters(*(random.standard_normal(s) * scale for s in ((E, 4 * H), (H, 4 * H), 4 * H)))
    p.b.reshape(4, H)[:, 1::2] += saturation
    return one_step.forward(p, random.standard_normal(E), *random.standard_normal((2, H)))


def values(s: Step) -> dict[str, np.ndarray]:
    """Return everything with respect to which h is differentiated, by name."""
    blocks = {
        f"{m}_{k}": block
        for m, array in zip("WUb", s.p, strict=True)
        for k, block in zip(GATES, np.split(array, 4, axis=-1), strict=True)
    }
    states = {name: getattr(s, name) for name in ("i", "f", "g", "c", "c_prev", "o", "h_prev", "x")}
    return states | blocks


def h_of(name: str, s: Step) -> Callable[[Tensor], Tensor]:
    """Return h_t as a function of `name` alone, with everything else fixed as in the published table."""
    fixed = {key: torch.from_numpy(value) for key, value in values(s).items()}

    def h(value: Tensor) -> Tensor:
        v = {**fixed, name: value}
        if name in ("h_prev", "x") or name[0] in "WUb":  # through the gates
            a = {k: v["x"] @ v[f"W_{k}"] + v["h_prev"] @ v[f"U_{k}"] + v[f"b_{k}"] for k in GATES}
            v |= {"i": a["i"].sigmoid(), "f": a["f"].sigmoid(), "g": a["c"].tanh(), "o": a["o"].sigmoid()}
        if name != "c":
            v["c"] = v["f"] * v["c_prev"] + v["i"] * v["g"]
        return v["o"] * v["c"].tanh()

    return h


def ours(name: str, s: Step) -> np.ndarray:
    return getattr(one_step, f"dh_d{name}")(s)


def autograd(name: str, s: Step) -> np.ndarray:
    return torch.autograd.functional.jacobian(h_of(name, s), torch.from_numpy(values(s)[name])).numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CASES)
def test_against_autograd(case: tuple[int, int, int, float, float], name: str) -> None:
    s = step_of(*case)
    theirs = autograd(name, s)
    assert ours(name, s).shape == theirs.shape
    np.testing.assert_allclose(ours(name, s), theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", CASES)
def test_against_central_differences(case: tuple[int, int, int, float, float], name: str) -> None:
    s, step = step_of(*case), 1e-5
    h, value = h_of(name, s), values(s)[name]
    theirs = np.empty((len(s.h), *value.shape))
    for position in np.ndindex(value.shape):
        nudge = np.zeros_like(value)
        nudge[position] = step
        up, down = (h(torch.from_numpy(value + sign * nudge)).numpy() for sign in (1, -1))
        theirs[(slice(None), *position)] = (up - down) / (2 * step)
    # Truncation: step² / 6 times a third derivative, which the scale of weights and states bounds;
    # rounding: 1e-16 / step.
    bound = 1e-9 * max(1.0, case[3] ** 3)
    np.testing.assert_allclose(ours(name, s), theirs, rtol=0, atol=bound)


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 7), st.sampled_from(NAMES))
@settings(deadline=None, max_examples=60)
def test_against_autograd_for_random_sizes(seed: int, E: int, H: int, name: str) -> None:
    s = step_of(seed, E, H, 1.0, 0)
    theirs = autograd(name, s)
    assert ours(name, s).shape == theirs.shape
    # 1 - tanh² is off by 1e-16 however small it is: where the cell saturates, so are both sides.
    np.testing.assert_allclose(ours(name, s), theirs, rtol=0, atol=1e-12 * np.abs(theirs).max() + 1e-15)


@pytest.mark.parametrize("case", CASES[-2:])
def test_every_gate_saturates_somewhere(case: tuple[int, int, int, float, float]) -> None:
    s = step_of(*case)
    for gate in (s.i, s.f, s.o):
        assert np.minimum(gate, 1 - gate).min() < 1e-6
        assert np.minimum(gate, 1 - gate).max() > 1e-2
    assert np.abs(s.g).max() > 1 - 1e-6


def test_the_forward_values() -> None:
    s = step_of(*CASES[1])
    theirs = h_of("x", s)(torch.from_numpy(s.x)).numpy()
    np.testing.assert_allclose(s.h, theirs, rtol=1e-12)
