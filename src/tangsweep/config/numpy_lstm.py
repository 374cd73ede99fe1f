"""What the NumPy LSTM cannot do, said before a run starts."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tangsweep.analytic.optimizers import OPTIMIZERS

CELL = "numpy_lstm"  # the name of the cell that `analytic` trains


def is_numpy_lstm(config: Mapping[str, Any]) -> bool:
    """Whether the resolved `config` takes the NumPy LSTM."""
    return config["cell"]["name"] == CELL


def unsupported_by_numpy_lstm(config: Mapping[str, Any]) -> str | None:
    """One line on what of the resolved `config` is lacking with `cell=numpy_lstm`; None: nothing."""
    model, trainer = config["model"], config["trainer"]
    for key, have, only in (
        ("model.layers", model["layers"], 1),
        ("model.dropout", model["dropout"], 0),
        ("model.input", model["input"], "embedding"),
        ("model.tie_weights", model["tie_weights"], False),
        ("trainer.accelerator", trainer["accelerator"], "cpu"),
    ):
        if have != only:
            return f"cell=numpy_lstm has no {key}={have}: set it to {only}, or take cell=lstm"
    if trainer["precision"] not in ("32-true", "64-true"):
        return f"cell=numpy_lstm has no trainer.precision={trainer['precision']}: take 32-true or 64-true"
    return _optimizer(config["optimizer"])


def _optimizer(settings: Mapping[str, Any]) -> str | None:
    name = settings["_target_"].rpartition(".")[2]
    if name not in OPTIMIZERS:
        return f"cell=numpy_lstm has no optimizer {name}: it has {', '.join(OPTIMIZERS)}, or take cell=lstm"
    known = {field.name for field in fields(OPTIMIZERS[name])}
    for key in settings:
        if not key.startswith("_") and key not in known:
            return f"cell=numpy_lstm has no optimizer.{key} for {name}: it has {', '.join(sorted(known))}"
    try:
        OPTIMIZERS[name](**{key: value for key, value in settings.items() if not key.startswith("_")})
    except (TypeError, ValueError) as error:
        return f"optimizer: {error}"
    return None
