"""Cells by the name that `cell=` takes; a checkpoint names its cell, and nothing else is ever built."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from tangsweep.cells.gru import GRU
from tangsweep.cells.lstm import LSTM
from tangsweep.cells.phased_lstm import PhasedLSTM
from tangsweep.cells.rnn import RNN
from tangsweep.config import numpy_lstm
from tangsweep.errors import UserError

# The last has the LSTM's parameters; training/numpy_bridge.py trains them without torch's arithmetic.
CELLS: dict[str, type[nn.Module]] = {
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "phased_lstm": PhasedLSTM,
    numpy_lstm.CELL: LSTM,
}


def cell_factory(settings: Mapping[str, Any]) -> Callable[[int, int], nn.Module]:
    """`(input_size, hidden_size) → cell` for `{name: …, **options}`. Raises UserError if unknown."""
    options = dict(settings)
    name = options.pop("name")
    if name not in CELLS:
        raise UserError(f"cell.name={name} does not exist; there are: {', '.join(CELLS)}")
    return partial(CELLS[name], **options)
