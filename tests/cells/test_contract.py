"""The contract of every cell, in float64; torch's cell is the second implementation where there is one."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tangsweep.cells.cell import unroll, unroll_step_by_step
from tangsweep.cells.lstm import LSTM, State
from tangsweep.cells.registry import CELLS, cell_factory
from tangsweep.errors import UserError
from tangsweep.inits import initialize, normal
from tangsweep.language_model import LanguageModel

TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}
SIZES = [(1, 1, 1, 1), (1, 7, 3, 5), (4, 1, 3, 2), (3, 9, 6, 4), (2, 30, 5, 8)]  # B, T, E, H
VARIANTS: dict[str, dict[str, Any]] = {
    "rnn": {"name": "rnn"},
    "rnn relu": {"name": "rnn", "nonlinearity": "relu"},
    "rnn leaky_relu": {"name": "rnn", "nonlinearity": "leaky_relu"},
    "gru": {"name": "gru"},
    "lstm": {"name": "lstm"},
    "lstm torch": {"name": "lstm", "kernel": "torch"},
    "lstm native": {"name": "lstm", "kernel": "native"},
    "phased_lstm": {"name": "phased_lstm", "r_on": 0.4},
    "phased_lstm all": {"name": "phased_lstm", "r_on": 0.4, "learn_r_on": True, "peepholes": True},
}
PEERS = {"rnn": nn.RNN, "rnn relu": nn.RNN, "gru": nn.GRU}
PEERS |= {f"lstm{kernel}": nn.LSTM for kernel in ("", " torch", " native")}
every_cell = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    yield
    torch.set_default_dtype(torch.float32)


def cell_of(variant: str, E: int = 3, H: int = 4, seed: int = 1) -> Any:
    """Return a cell with weights of N(0, 1) halved, so that no gate saturates."""
    model = LanguageModel(cell_factory(VARIANTS[variant]), E, 2, E, H, input="reals")
    initialize(model, normal, 0.0, seed)
    with torch.no_grad():
        for p in model.cells[0].parameters():
            p.copy_(torch.randn_like(p) / 2 if p.ndim == 1 and not p.any() else p)  # biases as well
    return model.cells[0]


def initialize_alone(cell: nn.Module) -> None:
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(std=0.5)


def random_state(cell: Any, B: int) -> Any:
    return type(cell.initial_state(B))(*(torch.randn_like(t) for t in cell.initial_state(B)))


def test_every_cell_is_tested() -> None:
    assert {v["name"] for v in VARIANTS.values()} | {"numpy_lstm"} == set(CELLS)


def peer_of(variant: str, cell: Any, E: int, H: int) -> Any:
    """Return torch's cell with the weights of ours; biases that ours does not have are zero."""
    options = {"nonlinearity": "relu"} if variant == "rnn relu" else {}
    theirs = PEERS[variant](E, H, **options)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(cell.W.t())
        theirs.weight_hh_l0.copy_(cell.U.t())
        theirs.bias_ih_l0.copy_(cell.b)
        theirs.bias_hh_l0.zero_()
        if variant == "gru":
            theirs.bias_hh_l0[2 * H :].copy_(cell.u)
    return theirs


@pytest.mark.parametrize("variant", PEERS)
@pytest.mark.parametrize(("B", "T", "E", "H"), SIZES)
def test_parity_with_torch(variant: str, B: int, T: int, E: int, H: int) -> None:
    cell = cell_of(variant, E, H)
    peer, state, x = peer_of(variant, cell, E, H), random_state(cell, B), torch.randn(T, B, E)
    mine, other = ([t.clone().requires_grad_() for t in (x, *state)] for _ in range(2))
    outputs, final = unroll(cell, mine[0], type(state)(*mine[1:]))
    initial = tuple(t[None] for t in other[1:])
    theirs_outputs, theirs_final = peer(other[0], initial if len(initial) > 1 else initial[0])
    ours = (outputs, *final)
    theirs = (theirs_outputs, *(t[0] for t in (theirs_final if len(initial) > 1 else (theirs_final,))))
    incoming = [torch.randn_like(t) for t in ours]
    torch.autograd.backward(ours, incoming)
    torch.autograd.backward(theirs, incoming)
    gradients = [(a.grad, b.grad) for a, b in zip(mine, other, strict=True)]
    gradients += [(cell.W.grad, peer.weight_ih_l0.grad.t()), (cell.U.grad, peer.weight_hh_l0.grad.t())]
    gradients += [(cell.b.grad, peer.bias_ih_l0.grad)]
    if variant == "gru":
        gradients += [(cell.u.grad, peer.bias_hh_l0.grad[2 * H :])]
    for a, b in [*zip(ours, theirs, strict=True), *gradients]:
        torch.testing.assert_close(a, b, **TOLERANCE)


@every_cell
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_differences(variant: str, training: bool) -> None:
    cell = cell_of(variant, 2, 3).train(training)
    names = [name for name, _ in cell.named_parameters()]
    x, times = torch.randn(3, 2, 2), torch.tensor([[0.3, 1.1], [2.0, 2.9], [4.4, 7.7]])

    def outputs(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(
            CallableCell(cell), dict(zip((f"cell.{n}" for n in names), parameters, strict=True)), (x, times)
        )

    inputs = [x, *(p.detach().clone() for p in cell.parameters())]
    assert torch.autograd.gradcheck(outputs, [t.requires_grad_() for t in inputs])


class CallableCell(nn.Module):
    """A cell as a module with a forward method, for functional_call."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        outputs, final = unroll(self.cell, x, None, times)
        return torch.cat([outputs.flatten(), *(t.flatten() for t in final)])


@every_cell
def test_later_inputs_do_not_change_earlier_outputs(variant: str) -> None:
    cell, x = cell_of(variant).eval(), torch.randn(6, 2, 3)
    before, _ = unroll(cell, x)
    x[4:] += 1
    after, _ = unroll(cell, x)
    assert torch.equal(before[:4], after[:4])
    assert not torch.equal(before, after)


@every_cell
@given(rows=st.permutations(range(4)))
def test_rows_of_a_batch_do_not_touch_each_other(variant: str, rows: list[int]) -> None:
    cell, generator = cell_of(variant), torch.Generator().manual_seed(3)
    x = torch.randn(5, 4, 3, generator=generator, dtype=torch.float64)
    times = torch.rand(5, 4, generator=generator, dtype=torch.float64).cumsum(0) * 9
    whole, final = unroll(cell, x, None, times)
    permuted, permuted_final = unroll(cell, x[:, rows], None, times[:, rows])
    torch.testing.assert_close(permuted, whole[:, rows], **TOLERANCE)
    alone, alone_final = unroll(cell, x[:, rows[:1]], None, times[:, rows[:1]])
    torch.testing.assert_close(alone, whole[:, rows[:1]], **TOLERANCE)
    torch.testing.assert_close(permuted_final.h, final.h[rows], **TOLERANCE)
    torch.testing.assert_close(alone_final.h, final.h[rows[:1]], **TOLERANCE)


@every_cell
def test_one_time_step_is_one_step(variant: str) -> None:
    cell, x = cell_of(variant), torch.randn(1, 2, 3)
    state = random_state(cell, 2)
    outputs, final = unroll(cell, x, state)
    expected = cell.step(cell.project(x, torch.zeros(1, 1))[0], state)
    torch.testing.assert_close(outputs[0], expected.h, **TOLERANCE)
    torch.testing.assert_close(final, expected, **TOLERANCE)


@every_cell
def test_carrying_the_state_equals_one_long_sequence(variant: str) -> None:
    model = LanguageModel(cell_factory(VARIANTS[variant]), 7, 7, 3, 4, layers=2)
    initialize(model, normal, 0.0, seed=2)
    ids = torch.randint(7, (2, 9))
    whole, end = model(ids)
    first, carry = model(ids[:, :4])
    rest, left = model(ids[:, 4:], None, carry)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, **TOLERANCE)
    assert left.steps == end.steps == 9
    for mine, other in zip(left.states, end.states, strict=True):
        torch.testing.assert_close(mine, other, **TOLERANCE)


@every_cell
@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 0, 3), (4, 3)])
def test_empty_input_is_an_error(variant: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        unroll(cell_of(variant), torch.zeros(shape))


@every_cell
def test_time_stamps_that_decrease_are_an_error(variant: str) -> None:
    times = torch.tensor([[0.0, 0.0], [1.0, 2.0], [1.0, 1.5]])
    with pytest.raises(ValueError, match=r"must not decrease: row 1 goes from 2 to 1\.5"):
        unroll(cell_of(variant), torch.zeros(3, 2, 3), None, times)


@every_cell
def test_the_options_declare_time_stamps_and_forget_gate(variant: str) -> None:
    cell, x = cell_of(variant).eval(), torch.randn(9, 2, 3)
    early, _ = unroll(cell, x, None, torch.arange(9.0)[:, None])
    late, _ = unroll(cell, x, None, torch.arange(9.0)[:, None] * 1.7 + 0.4)
    options = CELLS[VARIANTS[variant]["name"]].options
    assert options.reads_times != torch.equal(early, late)
    assert options.has_forget_gate == ("f" in cell.gates)


@pytest.mark.parametrize("kernel", ["torch", "native"])
def test_a_gradient_of_a_gradient_is_refused(kernel: str) -> None:
    cell, x = LSTM(3, 4, kernel), torch.randn(2, 1, 3, requires_grad=True)
    initialize_alone(cell)
    with pytest.raises(RuntimeError, match="no gradient of a gradient here: cells"):
        torch.autograd.grad(unroll(cell, x)[0].sum(), x, create_graph=True)


@pytest.mark.parametrize("kernel", ["torch", "native"])
@pytest.mark.parametrize(("B", "T", "E", "H"), [*SIZES, (7, 5, 3, 37), (13, 4, 2, 66)])
def test_the_sequence_is_its_steps(kernel: str, B: int, T: int, E: int, H: int) -> None:
    """Against autograd through the loop: outputs, final state, and every gradient, of the state too."""
    cell = LSTM(E, H, kernel)
    initialize_alone(cell)
    twin, state, x = copy.deepcopy(cell), random_state(cell, B), torch.randn(T, B, E)
    mine, other = ([t.clone().requires_grad_() for t in (x, *state)] for _ in range(2))
    ours, final = unroll(cell, mine[0], State(*mine[1:]))
    theirs, theirs_final = unroll_step_by_step(twin, other[0], State(*other[1:]))
    incoming = [torch.randn_like(t) for t in (ours, *final)]
    torch.autograd.backward((ours, *final), incoming)
    torch.autograd.backward((theirs, *theirs_final), incoming)
    pairs = [(ours, theirs), *zip(final, theirs_final, strict=True)]
    pairs += [(a.grad, b.grad) for a, b in zip(mine, other, strict=True)]
    pairs += [(a.grad, b.grad) for a, b in zip(cell.parameters(), twin.parameters(), strict=True)]
    for a, b in pairs:
        torch.testing.assert_close(a, b, **TOLERANCE)


@pytest.mark.parametrize("kernel", ["torch", "native"])
def test_a_graph_that_is_retained_gives_the_same_gradient_twice(kernel: str) -> None:
    cell, x = LSTM(3, 4, kernel), torch.randn(5, 2, 3)
    initialize_alone(cell)
    total = unroll(cell, x)[0].square().sum()
    first, second = (torch.autograd.grad(total, cell.parameters(), retain_graph=True) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, **TOLERANCE)


def test_an_unknown_nonlinearity() -> None:
    with pytest.raises(ValueError, match="no nonlinearity sine; there are: tanh, relu, leaky_relu"):
        cell_factory({"name": "rnn", "nonlinearity": "sine"})(2, 3)


def test_an_unknown_cell() -> None:
    with pytest.raises(UserError, match=r"cell\.name=mlp does not exist"):
        cell_factory({"name": "mlp"})
