"""Ours against torch.nn.LSTM, in float64, with random incoming gradients, every parameter compared."""

import pytest
import torch
from torch import Tensor, nn

from tangsweep.cells.lstm import LSTM, State
from tangsweep.cells.unroll import unroll

TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}
SIZES = [(1, 1, 1, 1), (1, 7, 3, 5), (4, 1, 3, 2), (3, 9, 6, 4), (2, 30, 5, 8)]  # B, T, E, H


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    yield
    torch.set_default_dtype(torch.float32)


def pair(E: int, H: int, layers: int) -> tuple[list[LSTM], nn.LSTM]:
    """Ours, layer by layer, with the weights of theirs (whose second bias is zero)."""
    theirs = nn.LSTM(E, H, layers)
    ours = [LSTM(E if layer == 0 else H, H) for layer in range(layers)]
    with torch.no_grad():
        for layer, cell in enumerate(ours):
            getattr(theirs, f"bias_hh_l{layer}").zero_()
            cell.W.copy_(getattr(theirs, f"weight_ih_l{layer}").t())
            cell.U.copy_(getattr(theirs, f"weight_hh_l{layer}").t())
            cell.b.copy_(getattr(theirs, f"bias_ih_l{layer}"))
    return ours, theirs


def run(cells: list[LSTM], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    finals = []
    for layer, cell in enumerate(cells):
        x, final = unroll(cell, x, State(h[layer], c[layer]))
        finals.append(final)
    return x, torch.stack([f.h for f in finals]), torch.stack([f.c for f in finals])


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("B", "T", "E", "H"), SIZES)
def test_parity_with_torch(B: int, T: int, E: int, H: int, layers: int) -> None:
    cells, peer = pair(E, H, layers)
    inputs = [
        [t.clone().requires_grad_() for t in (x, h, c)]
        for x, h, c in [(torch.randn(T, B, E), torch.randn(layers, B, H), torch.randn(layers, B, H))]
        for _ in range(2)
    ]
    ours = run(cells, *inputs[0])
    theirs_out, (theirs_h, theirs_c) = peer(inputs[1][0], (inputs[1][1], inputs[1][2]))
    theirs = (theirs_out, theirs_h, theirs_c)
    incoming = [torch.randn_like(t) for t in ours]
    torch.autograd.backward(ours, incoming)
    torch.autograd.backward(theirs, incoming)
    for mine, other in zip(
        [*ours, *(t.grad for t in inputs[0])], [*theirs, *(t.grad for t in inputs[1])], strict=True
    ):
        torch.testing.assert_close(mine, other, **TOLERANCE)
    for layer, cell in enumerate(cells):
        grad = {
            name: getattr(peer, f"{name}_l{layer}").grad for name in ("weight_ih", "weight_hh", "bias_ih")
        }
        torch.testing.assert_close(cell.W.grad, grad["weight_ih"].t(), **TOLERANCE)
        torch.testing.assert_close(cell.U.grad, grad["weight_hh"].t(), **TOLERANCE)
        torch.testing.assert_close(cell.b.grad, grad["bias_ih"], **TOLERANCE)


def filled(E: int, H: int) -> LSTM:
    cell = LSTM(E, H)
    for p in cell.parameters():
        nn.init.normal_(p)
    return cell


@pytest.mark.parametrize(("d", "n"), [(1, 1), (3, 5), (64, 64)])
def test_parameter_count(d: int, n: int) -> None:
    assert sum(p.numel() for p in LSTM(d, n).parameters()) == 4 * n * (d + n + 1)


def test_later_inputs_do_not_change_earlier_outputs() -> None:
    cell, x = filled(3, 4), torch.randn(6, 2, 3)
    before, _ = unroll(cell, x)
    x[4:] += 1
    after, _ = unroll(cell, x)
    assert torch.equal(before[:4], after[:4])
    assert not torch.equal(before[4:], after[4:])


def test_carrying_the_state_equals_one_long_sequence() -> None:
    cell, x = filled(3, 4), torch.randn(7, 2, 3)
    whole, final = unroll(cell, x)
    first, state = unroll(cell, x[:3])
    second, carried = unroll(cell, x[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, **TOLERANCE)
    torch.testing.assert_close(carried, final, **TOLERANCE)


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 0, 3), (4, 3)])
def test_empty_input_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        unroll(filled(3, 4), torch.zeros(shape))
