"""The config groups `optimizer` and `scheduler`: classes of torch and their arguments."""

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import ConfigDict

from tangsweep.config.options import Options, option
from tangsweep.config.value_types import (
    AlwaysTrue,
    Betas,
    DecayRate,
    NonNegativeNumber,
    OpenRatio,
    PositiveNumber,
    Text,
)

_Value = TypeVar("_Value")


class OptimizerOptions(Options):
    """The group `optimizer`: a class of torch.optim and its arguments.

    Arguments beyond those named here are passed on; the optimizer itself checks them.
    """

    model_config = ConfigDict(extra="allow")

    target: Text = option("the optimizer class", alias="_target_")
    partial: AlwaysTrue = option("always true: it is called later", alias="_partial_", default=True)
    lr: PositiveNumber = option("learning rate")
    weight_decay: NonNegativeNumber = option("weight decay", default=0.0)
    momentum: NonNegativeNumber = option("momentum of SGD and RMSprop", default=0.0)
    alpha: DecayRate = option("smoothing constant of RMSprop", default=0.99)
    rho: DecayRate = option("smoothing constant of Adadelta", default=0.9)
    betas: Betas = option("smoothing constants of Adam and its relatives", default=[0.9, 0.999])
    decay: Literal["all", "matrices"] = option(
        "which weights `weight_decay` acts on: `matrices` spares biases and other vectors",
        default="all",
        value_before="all",
    )
    kernel: Literal["auto", "torch"] = option(
        "which code updates weights: `auto` is C for the rules of which torch has no fused form, where there "
        "is a C compiler; speed and last bits, nothing else",
        default="auto",
        volatile=True,
    )


OWN_KEYS = ("decay", "kernel")  # of the group `optimizer`, which its class does not take


def optimizer_arguments(settings: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return what the class that a config group `optimizer` names is called with."""
    return {key: value for key, value in settings.items() if not key.startswith("_") and key not in OWN_KEYS}


class SchedulerOptions(Options):
    """The group `scheduler`: a class of torch.optim.lr_scheduler, stepped once an epoch; its arguments."""

    model_config = ConfigDict(extra="allow")

    target: Text | None = option("the schedule's class; null: none", alias="_target_")
    partial: AlwaysTrue = option("always true: it is called later", alias="_partial_", default=True)
    gamma: OpenRatio = option("factor of each epoch (exponential)", default=1.0)
    eta_min: NonNegativeNumber = option("last learning rate (cosine)", default=0.0)
