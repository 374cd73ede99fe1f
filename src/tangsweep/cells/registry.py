"""Recurrent cells by the name that `cell=` takes; a checkpoint names its cell, and no other class is built.

Importing this module imports no torch: a cell's class is imported when the cell is built.
"""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tangsweep.config.cell_options import (
    CellOptions,
    LSTMOptions,
    NumpyLSTMOptions,
    PhasedLSTMOptions,
    RNNOptions,
)
from tangsweep.config.options import format_value, validate_group
from tangsweep.errors import UserError, did_you_mean
from tangsweep.files import CONFIG_FOLDER

if TYPE_CHECKING:
    from tangsweep.cells.cell import CellFactory


class CellSpec(NamedTuple):
    """Where a cell's class is, the options that its config group takes, and its number of gates.

    The matrices of a layer are H times as wide as it has gates; a lower number only makes the estimate of a
    run's memory too low.
    """

    class_path: str
    options: type[CellOptions]
    gates: int = 1


CELLS = {
    "rnn": CellSpec("tangsweep.cells.rnn.RNN", RNNOptions),
    "gru": CellSpec("tangsweep.cells.gru.GRU", CellOptions, gates=3),
    "lstm": CellSpec("tangsweep.cells.lstm.LSTM", LSTMOptions, gates=4),
    "phased_lstm": CellSpec("tangsweep.cells.phased_lstm.PhasedLSTM", PhasedLSTMOptions, gates=4),
    # The LSTM's parameters; training/numpy_bridge.py computes with them in NumPy.
    "numpy_lstm": CellSpec("tangsweep.cells.lstm.LSTM", NumpyLSTMOptions, gates=4),
}


def find_cell(name: object) -> CellSpec:
    """Return the cell of this name. Raises UserError where there is none."""
    if not isinstance(name, str):
        raise UserError(f"cell.name={format_value(name)} is invalid: it must be one of {', '.join(CELLS)}")
    if name not in CELLS:
        hint = did_you_mean(name, CELLS)
        raise UserError(f"cell.name={name} does not exist; {hint}there are: {', '.join(CELLS)}")
    return CELLS[name]


def complete_cell_options(cell: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a cell: those named, and the defaults of conf/cell/ for the others.

    A name alone takes all defaults. Raises UserError for a name that does not exist and an invalid option.
    """
    chosen = {"name": cell} if isinstance(cell, str) else dict(cell)
    spec = find_cell(chosen.get("name"))
    path = CONFIG_FOLDER / "cell" / f"{chosen['name']}.yaml"
    defaults = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    options = {**defaults, **chosen}
    validate_group(spec.options, options, "cell")
    return options


def cell_factory(settings: Mapping[str, Any]) -> "CellFactory":
    """Return a function that makes the cell of the config group `cell`, from input size and hidden size.

    Raises UserError for a name that does not exist.
    """
    options = dict(settings)
    module, _, class_name = find_cell(options.pop("name")).class_path.rpartition(".")
    return partial(getattr(import_module(module), class_name), **options)
