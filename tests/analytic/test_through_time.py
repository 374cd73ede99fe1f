"""BPTT, RTRL and the vanilla RNN against autograd through the plain loop, in float64."""

import numpy as np
import pytest
import torch

from tangsweep.analytic import language_model, lstm, one_step, rnn, rtrl
from tangsweep.analytic.language_model import bptt
from tangsweep.cells.cell import unroll
from tangsweep.cells.lstm import State
from tests.analytic.reference import Problem, arrays, autograd, rnn_autograd, torch_lstm

SIZES = [{}, {"T": 1}, {"B": 1, "T": 12}, {"E": 1, "H": 1}, {"V": 2, "H": 9}]


def agree(ours, theirs, tolerance: float = 1e-10) -> None:  # type: ignore[no-untyped-def]
    for name, array in arrays(theirs).items():
        np.testing.assert_allclose(arrays(ours)[name], array, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_bptt_is_the_gradient_of_autograd(sizes: dict[str, int], seed: int) -> None:
    problem = Problem(seed, **sizes)
    ours, theirs = bptt(*problem.arguments), autograd(problem)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    agree(ours[1], theirs[1])


@pytest.mark.parametrize("sizes", SIZES)
def test_rtrl_is_the_gradient_of_bptt(sizes: dict[str, int]) -> None:
    problem = Problem(3, **sizes)
    ours, theirs = rtrl.rtrl(*problem.arguments), bptt(*problem.arguments)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    agree(ours[1], theirs[1])


def test_the_cell_alone_with_random_incoming_gradients() -> None:
    random = np.random.default_rng(5)
    T, B, E, H = 7, 3, 4, 5
    problem = Problem(5, T=T, B=B, E=E, H=H)
    x, dh = random.standard_normal((T, B, E)), random.standard_normal((T, B, H))
    dh_T, dc_T = random.standard_normal((2, B, H))
    p = problem.weights.cell
    trace = lstm.forward(p, x, problem.h0, problem.c0)
    ours = lstm.backward(p, trace, dh, dh_T, dc_T)
    cell = torch_lstm(p)
    inputs = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, problem.h0, problem.c0)]
    out, final = unroll(cell, inputs[0], State(inputs[1], inputs[2]))
    np.testing.assert_allclose(trace.h[1:], out.detach().numpy(), rtol=1e-12, atol=1e-12)
    torch.autograd.backward([out, final.h, final.c], [torch.from_numpy(a) for a in (dh, dh_T, dc_T)])
    theirs = lstm.Gradients(*(t.grad.numpy() for t in (cell.W, cell.U, cell.b, *inputs)))
    agree(ours, theirs)


def test_gradients_at_the_final_state_flow_through_the_language_model() -> None:
    problem = Problem(6)
    w, inputs, targets, _, h0, c0 = problem.arguments
    none = np.full_like(targets, -1)
    nats, memory = language_model.forward(w, inputs, none, h0, c0)
    dh_T, dc_T = np.random.default_rng(0).standard_normal((2, *h0.shape))
    ours = language_model.backward(w, memory, np.zeros_like(nats), dh_T, dc_T)
    theirs = lstm.backward(
        w.cell,
        lstm.forward(w.cell, w.embedding[inputs], h0, c0),
        np.zeros((*inputs.shape, h0.shape[1])),
        dh_T,
        dc_T,
    )
    np.testing.assert_allclose(ours.weights.cell.U, theirs.U)
    np.testing.assert_allclose(ours.h0, theirs.h0)
    assert not nats.any()
    assert not ours.weights.output.any()


@pytest.mark.parametrize("last_only", [True, False])
@pytest.mark.parametrize(("T", "B", "E", "H", "V"), [(6, 3, 4, 5, 7), (1, 1, 1, 1, 2), (20, 2, 3, 8, 10)])
def test_the_vanilla_rnn(T: int, B: int, E: int, H: int, V: int, last_only: bool) -> None:
    random = np.random.default_rng(T)
    p = rnn.Parameters(*(random.standard_normal(s) for s in ((E, H), (H, H), H, (H, V), V)))
    x, h0 = random.standard_normal((T, B, E)), random.standard_normal((B, H))
    targets = random.integers(V, size=(T, B))
    ours, theirs = (f(p, x, targets, h0, last_only) for f in (rnn.bptt, rnn_autograd))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    agree(ours[1], theirs[1])
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-10, atol=1e-10)


def test_central_differences_agree_too() -> None:
    problem = Problem(9, V=4, T=4, B=2, E=2, H=3)
    _, ours = bptt(*problem.arguments)
    step = 1e-5
    for name, array in arrays(problem.weights).items():
        expected = np.empty_like(array)
        for position in np.ndindex(array.shape):
            value = array[position]
            losses = []
            for sign in (1, -1):
                array[position] = value + sign * step
                losses.append(bptt(*problem.arguments)[0])
            array[position] = value
            expected[position] = (losses[0] - losses[1]) / (2 * step)
        # Truncation is O(step²) = 1e-10, rounding 1e-16 / step = 1e-11.
        np.testing.assert_allclose(arrays(ours.weights)[name], expected, atol=1e-8, err_msg=name)


def test_no_scored_position_is_an_error() -> None:
    w, inputs, targets, importance, h0, c0 = Problem(0).arguments
    for mask, weight in ((np.full_like(targets, -1), importance), (targets, np.zeros_like(importance))):
        with pytest.raises(ValueError, match="no position is scored"):
            bptt(w, inputs, mask, weight, h0, c0)


LM_CHANGES = [
    ("targets", np.zeros((6, 2), int), r"targets: expected shape \(6, 3\), got \(6, 2\)"),
    ("h0", np.zeros((3, 4)), r"h0: expected shape \(3, 5\), got \(3, 4\)"),
    ("c0", np.zeros((3, 1)), r"c0: expected shape \(3, 5\), got \(3, 1\)"),
    ("c0", np.zeros((6, 5)), r"c0: expected shape \(3, 5\), got \(6, 5\)"),
    ("inputs", np.zeros(6, int), r"inputs: expected shape \(any, any\), got \(6,\)"),
    ("inputs", np.zeros((0, 3), int), r"inputs: expected at least one entry"),
    ("inputs", np.full((6, 3), 7), r"inputs: expected ids from 0 to 6, got 7 to 7"),
    ("targets", np.full((6, 3), -2), r"targets: expected ids from -1 to 6, got -2 to -2"),
    ("importance", np.ones((6, 1)), r"importance: expected shape \(6, 3\), got \(6, 1\)"),
]
WEIGHT_CHANGES = [
    ("embedding", (7, 3), r"embedding: expected shape \(7, 4\), got \(7, 3\)"),
    ("output", (7, 4), r"output: expected shape \(7, 5\), got \(7, 4\)"),
    ("bias", (1,), r"bias: expected shape \(7\), got \(1,\)"),
]


@pytest.mark.parametrize("method", [bptt, rtrl.rtrl])
@pytest.mark.parametrize(("name", "array", "named"), LM_CHANGES)
def test_arrays_that_do_not_fit_are_named(method, name: str, array: np.ndarray, named: str) -> None:  # type: ignore[no-untyped-def]
    names = ("weights", "inputs", "targets", "importance", "h0", "c0")
    arguments = dict(zip(names, Problem(0).arguments, strict=True)) | {name: array}
    with pytest.raises(ValueError, match=named):
        method(*arguments.values())


@pytest.mark.parametrize("method", [bptt, rtrl.rtrl])
@pytest.mark.parametrize(("name", "shape", "named"), WEIGHT_CHANGES)
def test_weights_that_do_not_fit_are_named(method, name: str, shape: tuple[int, ...], named: str) -> None:  # type: ignore[no-untyped-def]
    weights, *rest = Problem(0).arguments
    with pytest.raises(ValueError, match=named):
        method(weights._replace(**{name: np.zeros(shape)}), *rest)


@pytest.mark.parametrize(
    ("name", "shape", "named"),
    [
        ("W", (4, 19), r"W: expected shape \(4, 20\), got \(4, 19\)"),
        ("U", (5, 19), r"U: expected shape \(5, 20\), got \(5, 19\)"),
        ("b", (1,), r"b: expected shape \(20\), got \(1,\)"),
    ],
)
def test_cell_parameters_that_do_not_fit_are_named(name: str, shape: tuple[int, ...], named: str) -> None:
    p = Problem(0).weights.cell._replace(**{name: np.zeros(shape)})
    with pytest.raises(ValueError, match=named):
        lstm.forward(p, np.zeros((2, 3, 4)), np.zeros((3, 5)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match=named):
        one_step.forward(p, np.zeros(4), np.zeros(5), np.zeros(5))


def test_one_steps_vectors_that_do_not_fit_are_named() -> None:
    p = Problem(0).weights.cell
    with pytest.raises(ValueError, match=r"c_prev: expected shape \(5\), got \(1,\)"):
        one_step.forward(p, np.zeros(4), np.zeros(5), np.zeros(1))


@pytest.mark.parametrize("name", rnn.Parameters._fields)
def test_the_rnns_arrays_that_do_not_fit_are_named(name: str) -> None:
    shapes = {"W_hx": (4, 5), "W_hh": (5, 5), "b_h": (5,), "W_ph": (5, 3), "b_p": (3,)}
    wrong = (*shapes[name][:-1], shapes[name][-1] + 1)
    p = rnn.Parameters(**{k: np.zeros(wrong if k == name else v) for k, v in shapes.items()})
    named = "W_ph" if name == "b_p" else name  # their lengths disagree: either may be the wrong one
    with pytest.raises(ValueError, match=f"{named}: expected shape"):
        rnn.bptt(p, np.zeros((2, 3, 4)), np.zeros((2, 3), int), np.zeros((3, 5)), False)


def test_the_rnn_masks_and_needs_something_to_score() -> None:
    random = np.random.default_rng(0)
    p = rnn.Parameters(*(random.standard_normal(s) for s in ((3, 4), (4, 4), 4, (4, 5), 5)))
    x, h0, targets = random.standard_normal((6, 2, 3)), np.zeros((2, 4)), random.integers(5, size=(6, 2))
    masked = targets.copy()
    masked[2:4, 1] = -1
    for last_only in (True, False):
        ours, theirs = (f(p, x, masked, h0, last_only) for f in (rnn.bptt, rnn_autograd))
        assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
        agree(ours[1], theirs[1])
    with pytest.raises(ValueError, match="no position is scored"):
        rnn.bptt(p, x, np.full_like(targets, -1), h0, False)
