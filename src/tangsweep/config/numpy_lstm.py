"""What `cell=numpy_lstm`, the LSTM in NumPy, does not support; said before a run starts."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tangsweep.analytic.optimizers import OPTIMIZERS
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError

CELL = "numpy_lstm"


def is_numpy_lstm(config: AnyConfig) -> bool:
    """Return whether a run trains the LSTM in NumPy."""
    return config.cell.name == CELL


def check_numpy_lstm(config: AnyConfig) -> None:
    """Raise UserError for the first setting that `cell=numpy_lstm` does not support; other cells pass."""
    if not is_numpy_lstm(config):
        return
    model, trainer = config.model, config.trainer
    supported: tuple[tuple[str, object, object], ...] = (
        ("model.layers", model.layers, 1),
        ("model.dropout", model.dropout, 0),
        ("model.input", model.input, "embedding"),
        ("model.tie_weights", model.tie_weights, False),
        ("trainer.accelerator", trainer.accelerator, "cpu"),
    )
    for key, value, only in supported:
        if value != only:
            raise UserError(
                f"cell=numpy_lstm does not support {key}={value}: set it to {only}, or use cell=lstm"
            )
    if trainer.precision not in ("32-true", "64-true"):
        raise UserError(
            f"cell=numpy_lstm does not support trainer.precision={trainer.precision}: use 32-true or 64-true"
        )
    _check_optimizer(config.plain["optimizer"])


def _check_optimizer(settings: Mapping[str, Any]) -> None:
    name = settings["_target_"].rpartition(".")[2]
    if name not in OPTIMIZERS:
        raise UserError(
            f"cell=numpy_lstm has no optimizer {name}: there are {', '.join(OPTIMIZERS)}; or use cell=lstm"
        )
    options = {key: value for key, value in settings.items() if not key.startswith("_")}
    supported = {field.name for field in fields(OPTIMIZERS[name])}
    for key in options:
        if key not in supported:
            raise UserError(
                f"cell=numpy_lstm has no optimizer.{key} for {name}: there are {', '.join(sorted(supported))}"
            )
    try:
        OPTIMIZERS[name](**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer: {error}") from None
