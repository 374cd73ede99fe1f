"""Builds the optimizer and the schedule that a config names.

The choices are the files of conf/optimizer/ and conf/scheduler/. Each is tried before a sweep's first run, in
a process that does not train: nothing here imports Lightning.
"""

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tangsweep.config.checks import is_numpy_lstm
from tangsweep.config.identity import is_cosine_over_steps, is_stepped_with_optimizer
from tangsweep.config.optimizer_options import OWN_KEYS
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError, did_you_mean, first_line
from tangsweep.kernels import native
from tangsweep.training import numpy_bridge
from tangsweep.training.averaging_optimizer import AveragingOptimizer
from tangsweep.training.native_optimizers import NATIVE_OPTIMIZERS

MakeOptimizer = Callable[..., Optimizer]  # from groups of parameters, and `lr` if it is given
MakeScheduler = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]
Settings = Mapping[str, Any]  # of an optimizer or a schedule, with its `_target_`
PACKAGES = {
    "optimizer": "torch.optim",
    "scheduler": "torch.optim.lr_scheduler",
}  # where the classes of torch lie
EXTRAS = {"pytorch_optimizer": "optimizers"}  # by package


class OptimizerFactories(NamedTuple):
    """Make the optimizer from groups of parameters, and the schedule (None: none) from the optimizer."""

    make_optimizer: MakeOptimizer
    make_scheduler: MakeScheduler | None


def optimizer_factories(config: AnyConfig, steps: float | None = None) -> OptimizerFactories:
    """Return the factories that a config names, both tried on one parameter.

    `steps` are those of the whole run, over which a cosine schedule falls with `trainer.max_steps`.
    Raises UserError for a class that does not exist or an option that it lacks.
    """
    parameters = [{"params": [torch.nn.Parameter(torch.zeros(1))]}]
    settings = config.plain["optimizer"]
    with _named_failures("optimizer", settings):
        is_numpy = is_numpy_lstm(config)
        make_optimizer = (
            numpy_bridge.numpy_optimizer_factory(settings) if is_numpy else _torch_optimizer(config)
        )
        optimizer = make_optimizer(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"{settings['_target_']} makes no optimizer of torch")
        _check_averages(config, optimizer)
    if config.scheduler.target is None:
        return OptimizerFactories(make_optimizer, None)
    settings = config.plain["scheduler"]
    with _named_failures("scheduler", settings):
        make_scheduler = _scheduler_factory(config, settings, steps)
        if not isinstance(make_scheduler(optimizer), torch.optim.lr_scheduler.LRScheduler):
            raise TypeError(f"{settings['_target_']} makes no schedule of torch")
    return OptimizerFactories(make_optimizer, make_scheduler)


def _check_averages(config: AnyConfig, optimizer: Optimizer) -> None:
    trainer = config.trainer
    has_average = trainer.ema_decay is not None or trainer.average_after is not None
    if isinstance(optimizer, AveragingOptimizer) and has_average:
        raise ValueError("it keeps an average itself: leave out trainer.ema_decay and average_after")


def optimizer_class(make_optimizer: MakeOptimizer) -> MakeOptimizer:
    """Return the class behind partial functions of it, or whatever function makes the optimizer."""
    while isinstance(make_optimizer, partial):
        make_optimizer = make_optimizer.func
    return make_optimizer


def describe_function(function: Callable[..., object]) -> str:
    """Return a function's name, of a partial one with its arguments: `AdamW(weight_decay=0.1)`."""
    if isinstance(function, partial):
        arguments = [*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())]
        return f"{describe_function(function.func)}({', '.join(arguments)})"
    return getattr(function, "__name__", repr(function))


@contextlib.contextmanager
def _named_failures(group: str, settings: Settings) -> Iterator[None]:
    """Raise UserError, one line, for whatever a class raises for options that do not go together."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{_describe_failure(group, settings, error)}; see conf/{group}/") from error


def _describe_failure(group: str, settings: Settings, error: Exception) -> str:
    target = str(settings["_target_"])
    if isinstance(error, InstantiationException) and "Error locating target" in str(error):
        package = target.partition(".")[0]
        if package in EXTRAS and find_spec(package) is None:
            return f"{target} needs {package}: pip install -c constraints.txt -e '.[{EXTRAS[package]}]'"
        module, names = _classes_beside(target, PACKAGES[group])
        hint = did_you_mean(target.rpartition(".")[2], names, f"{module}.").strip()
        return f"{group}._target_={target} does not exist{f'; {hint}' if hint else ''}"
    cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
    if unexpected := re.search(r"unexpected keyword argument '(\w+)'", str(cause)):
        options = inspect.signature(get_object(target)).parameters
        hint = did_you_mean(unexpected[1], options, f"{group}.").strip()
        return f"{target} takes no {group}.{unexpected[1]}{f'; {hint}' if hint else ''}"
    return f"{group}: {first_line(cause) or type(cause).__name__}"


def _classes_beside(target: str, package: str) -> tuple[str, list[str]]:
    """Return the module that a target names, or `package` where there is none, and the classes in it."""
    for module in (target.rpartition(".")[0], package):
        with contextlib.suppress(ImportError, ValueError):
            return module, [name for name in vars(import_module(module)) if name[0].isupper()]
    return package, []


def _scheduler_factory(config: AnyConfig, settings: Settings, steps: float | None) -> MakeScheduler:
    if is_stepped_with_optimizer(config.plain):
        length = int(steps or config.trainer.max_steps or 1)
        is_cosine = is_cosine_over_steps(config.plain)  # T_max of its file counts epochs
        settings = {**settings, "T_max": length} if is_cosine else {"steps": length, **settings}
    make_scheduler: MakeScheduler = instantiate(settings, _partial_=True)
    return make_scheduler


def _torch_optimizer(config: AnyConfig) -> MakeOptimizer:
    """Use the form that makes one pass over memory a step, torch's fused one or one of
    native_optimizers.py, where there is one: the same rule, rounded elsewhere.

    Lightning allows no fused optimizer with a gradient scaler and clipping, so 16-mixed does without.
    """
    settings = {key: value for key, value in config.plain["optimizer"].items() if key not in OWN_KEYS}
    # Lists become Python's own: an optimizer's settings lie in checkpoints, which hold no other classes.
    optimizer: Any = instantiate(settings, _partial_=True, _convert_="all")
    if optimizer.func in NATIVE_OPTIMIZERS and _has_native_update(config):
        return partial(NATIVE_OPTIMIZERS[optimizer.func], *optimizer.args, **optimizer.keywords)
    parameters = inspect.signature(optimizer.func).parameters
    is_free = not {"fused", "foreach", "differentiable"} & set(settings)
    if "fused" in parameters and is_free and config.trainer.precision != "16-mixed":
        return partial(optimizer, fused=True)
    chosen: MakeOptimizer = optimizer
    return chosen


def _has_native_update(config: AnyConfig) -> bool:
    """Return whether `optimizer.kernel` allows the update in C, and it can be had for the weights' type."""
    trainer = config.trainer
    reals = {"32-true": "float", "bf16-mixed": "float", "64-true": "double"}
    real = reals.get(trainer.precision) if trainer.accelerator == "cpu" else None
    return config.optimizer.kernel == "auto" and real is not None and not native.why_unavailable(real)
