"""The options of each recurrent cell: one class a cell; conf/cell/ holds their defaults."""

from typing import ClassVar, Literal

from tangsweep.config.options import Options, option
from tangsweep.config.value_types import NonNegativeNumber, NumberRange, OpenRatio, PositiveNumber, Text


class CellOptions(Options):
    """Keys of the group `cell` that every cell has, and what its output depends on."""

    reads_times: ClassVar[bool] = False  # the cell's output depends on time stamps
    has_forget_gate: ClassVar[bool] = False  # the cell takes `init.forget_bias`

    name: Text = option("the cell's name in cells/registry.py")

    @property
    def kernel_name(self) -> str:
        """The `cell.kernel` with which a run computes; cells without the key compute with `auto`."""
        return "auto"


class LSTMOptions(CellOptions):
    """Options of `cell=lstm`."""

    has_forget_gate = True

    kernel: Literal["auto", "torch", "native"] = option(
        "which kernels compute it: `native` is C, `auto` native where there is a C compiler; speed and last "
        "bits, nothing else",
        volatile=True,
    )

    @property
    def kernel_name(self) -> str:
        return self.kernel


class NumpyLSTMOptions(CellOptions):
    """Options of `cell=numpy_lstm`: none of its own."""

    has_forget_gate = True


class RNNOptions(CellOptions):
    """Options of `cell=rnn`."""

    nonlinearity: Literal["tanh", "relu", "leaky_relu"] = option("the activation function")


class PhasedLSTMOptions(CellOptions):
    """Options of `cell=phased_lstm` (Neil, Pfeiffer and Liu 2016)."""

    reads_times = True
    has_forget_gate = True

    r_on: OpenRatio = option("the open ratio: the share of its period for which a unit is open")
    learn_r_on: bool = option("learn each unit's open ratio")
    alpha: NonNegativeNumber = option("leak while a unit is closed, in training only")
    period: PositiveNumber | None = option("every unit's initial period in time units; null: drawn")
    period_exponents: NumberRange = option("drawn periods are exp(U(low, high))")
    peepholes: bool = option("let the cell state enter the gates")
