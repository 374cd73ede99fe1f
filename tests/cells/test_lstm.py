"""What is the LSTM's alone; what every cell must do is in test_contract.py."""

import pytest
import torch
from torch import nn

from tangsweep.cells.cell import unroll
from tangsweep.cells.lstm import LSTM, State


@pytest.mark.parametrize(("d", "n"), [(1, 1), (3, 5), (64, 64)])
def test_parameter_count(d: int, n: int) -> None:
    assert sum(p.numel() for p in LSTM(d, n).parameters()) == 4 * n * (d + n + 1)


@pytest.mark.parametrize("layers", [2, 3])
def test_stacked_layers_are_torchs(layers: int) -> None:
    theirs = nn.LSTM(3, 5, layers).double()
    cells = [LSTM(3 if layer == 0 else 5, 5).double() for layer in range(layers)]
    with torch.no_grad():
        for layer, cell in enumerate(cells):
            getattr(theirs, f"bias_hh_l{layer}").zero_()
            cell.W.copy_(getattr(theirs, f"weight_ih_l{layer}").t())
            cell.U.copy_(getattr(theirs, f"weight_hh_l{layer}").t())
            cell.b.copy_(getattr(theirs, f"bias_ih_l{layer}"))
    x, h, c = (
        torch.randn(*shape, dtype=torch.float64) for shape in ((9, 4, 3), (layers, 4, 5), (layers, 4, 5))
    )
    expected, _ = theirs(x, (h, c))
    for layer, cell in enumerate(cells):
        x, _ = unroll(cell, x, State(h[layer], c[layer]))
    torch.testing.assert_close(x, expected, rtol=1e-10, atol=1e-12)
