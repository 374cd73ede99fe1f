"""Combinations of valid values that do not go together, refused before a run starts."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tangsweep.analytic.optimizers import OPTIMIZERS
from tangsweep.config.cell_options import NumpyLSTMOptions, PhasedLSTMOptions
from tangsweep.config.optimizer_options import optimizer_arguments
from tangsweep.config.options import format_value
from tangsweep.config.run_config import CHOSEN_GROUPS, AnyConfig, RunConfig
from tangsweep.errors import UserError
from tangsweep.metrics import METRICS

LOW_PRECISION = ("bf16-true", "16-true")


def check_groups(values: Mapping[str, Any]) -> None:
    """Raise UserError where a group of the composed config is missing, or is a value instead of a group."""
    for name, field in RunConfig.model_fields.items():
        if field.description and name not in ("logger", "sweep", "published"):
            continue
        if not isinstance(values.get(name), Mapping):
            which = f"choose one of conf/{name}/" if name in CHOSEN_GROUPS else "it is a group of keys"
            raise UserError(f"{name}={format_value(values.get(name))} is invalid: {which}")


def check_combinations(config: AnyConfig) -> None:
    """Raise UserError for the first combination of values that cannot be trained."""
    _check_cell(config)
    _check_primary_metric(config)
    _check_tied_weights(config)
    if config.trainer.max_epochs is None and config.trainer.max_steps is None:
        raise UserError("nothing ends the run: set trainer.max_epochs or trainer.max_steps")
    if config.wandb_sweep is not None and config.search.trials is None:
        raise UserError("wandb_sweep writes the space of a search: set search.trials (docs/search.md)")
    if config.trainer.ema_decay is not None and config.trainer.average_after is not None:
        raise UserError("trainer.ema_decay and trainer.average_after are two averages: set one to null")
    if config.model.pretrained_embeddings is not None and config.model.input != "embedding":
        raise UserError(f"model.pretrained_embeddings needs model.input=embedding, not {config.model.input}")
    _check_numpy_lstm(config)


def _check_tied_weights(config: AnyConfig) -> None:
    model = config.model
    width = model.output_size or model.hidden_size
    if model.tie_weights and (model.input != "embedding" or model.embed_size != width):
        raise UserError(
            "model.tie_weights=true needs embeddings as wide as what the output layer reads: "
            f"set model.embed_size={width} or model.output_size={model.embed_size}, and model.input=embedding"
        )


def _check_cell(config: AnyConfig) -> None:
    cell, trainer, forget_bias = config.cell, config.trainer, config.init.forget_bias
    if forget_bias and not cell.has_forget_gate:
        raise UserError(
            f"init.forget_bias={forget_bias:g} needs a forget gate, and cell={cell.name} has none: "
            "set it to 0"
        )
    if cell.reads_times and trainer.precision in LOW_PRECISION:
        raise UserError(
            f"trainer.precision={trainer.precision} is too coarse for the time stamps of cell={cell.name}: "
            "use 32-true or a mixed precision"
        )
    is_native = cell.kernel_name == "native"
    if is_native and (trainer.accelerator != "cpu" or trainer.precision in LOW_PRECISION):
        raise UserError(
            f"cell.kernel=native computes on the CPU in 32 or 64 bits, not with {trainer.precision} on the "
            f"{trainer.accelerator}: use cell.kernel=auto"
        )
    if isinstance(cell, PhasedLSTMOptions) and cell.learn_r_on and cell.r_on == 1:
        raise UserError("cell.r_on=1 cannot be learned: start below 1, or set cell.learn_r_on=false")


def _check_primary_metric(config: AnyConfig) -> None:
    primary = config.corpus.primary
    mode = METRICS[primary.metric].mode
    if primary.mode != mode:
        raise UserError(f"corpus.primary.mode={primary.mode} is wrong for {primary.metric}: set {mode}")
    if config.trainer.give_up and primary.hopeless is None:
        raise UserError(
            "trainer.give_up=true needs corpus.primary.hopeless: the score that is hopeless half-way"
        )


def is_numpy_lstm(config: AnyConfig) -> bool:
    """Return whether a run trains the LSTM in NumPy."""
    return isinstance(config.cell, NumpyLSTMOptions)


def _check_numpy_lstm(config: AnyConfig) -> None:
    """Raise UserError for the first setting that `cell=numpy_lstm` does not support; other cells pass."""
    if not is_numpy_lstm(config):
        return
    model, trainer = config.model, config.trainer
    supported: tuple[tuple[str, object, object], ...] = (
        ("model.layers", model.layers, 1),
        ("model.dropout", model.dropout, 0),
        ("model.sequence_dropout", model.sequence_dropout, False),
        ("model.embedding_dropout", model.embedding_dropout, 0),
        ("model.recurrent_dropout", model.recurrent_dropout, 0),
        ("model.output_size", model.output_size, None),
        ("model.input", model.input, "embedding"),
        ("model.tie_weights", model.tie_weights, False),
        ("trainer.accelerator", trainer.accelerator, "cpu"),
        ("trainer.ema_decay", trainer.ema_decay, None),
        ("trainer.average_after", trainer.average_after, None),
        ("optimizer.decay", config.optimizer.decay, "all"),
    )
    for key, value, only in supported:
        if value != only:
            raise UserError(
                f"cell=numpy_lstm does not support {key}={value}: set it to {format_value(only)}, "
                "or use cell=lstm"
            )
    if trainer.precision not in ("32-true", "64-true"):
        raise UserError(
            f"cell=numpy_lstm does not support trainer.precision={trainer.precision}: use 32-true or 64-true"
        )
    _check_numpy_optimizer(config.plain["optimizer"])


def _check_numpy_optimizer(settings: Mapping[str, Any]) -> None:
    name = settings["_target_"].rpartition(".")[2]
    if name not in OPTIMIZERS:
        raise UserError(
            f"cell=numpy_lstm has no optimizer {name}: there are {', '.join(OPTIMIZERS)}; or use cell=lstm"
        )
    options = optimizer_arguments(settings)
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
