"""The config of one run: every key typed, described and checked; `docs/configuration.md` lists them."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import PrivateAttr

from tangsweep.config.cell_options import CellOptions
from tangsweep.config.data_options import CorpusOptions, DataOptions
from tangsweep.config.groups import (
    ConfirmOptions,
    InitOptions,
    LoggerOptions,
    ModelOptions,
    PoemsOptions,
    PublishedOptions,
    SamplesOptions,
    SweepOptions,
    TrainerOptions,
)
from tangsweep.config.optimizer_options import OptimizerOptions, SchedulerOptions
from tangsweep.config.options import Options, option, validate_group
from tangsweep.config.search_options import SearchOptions
from tangsweep.config.value_types import PositiveCount, Seed, Text

CorpusT = TypeVar("CorpusT", bound=CorpusOptions)
DataT = TypeVar("DataT", bound=DataOptions)
Rerun = Literal["unfinished", "paused", "failed", "diverged", "all", "none"]


class RunConfig(Options, Generic[CorpusT, DataT]):
    """One run's validated config; a task's own two groups are `corpus` and `data`.

    `plain` is the composed config as it was written. Files, checkpoints, W&B and the run's identity use it,
    so that a number that was written 0 stays 0 there and does not become 0.0.
    """

    corpus: CorpusT
    data: DataT
    cell: CellOptions
    model: ModelOptions
    init: InitOptions
    optimizer: OptimizerOptions
    scheduler: SchedulerOptions
    trainer: TrainerOptions
    logger: LoggerOptions = option("what mirrors the files of a run", volatile=True)
    sweep: SweepOptions = option("names of folders, and what the sweep asks", volatile=True)
    confirm: ConfirmOptions = option("runs that judge chosen settings", volatile=True)
    search: SearchOptions = option("how settings are proposed and pruned", volatile=True)
    poems: PoemsOptions
    samples: SamplesOptions
    published: PublishedOptions = option("figures published for an experiment", volatile=True)
    seed: Seed = option("every random choice follows from it")
    order_seed: Seed | None = option(
        "the order of training examples follows from it; null: from `seed` as well",
        default=None,
        value_before=None,
    )
    rerun: Rerun = option("which runs that exist are trained", volatile=True)
    plan: bool = option("check every run, show what it would cost, train nothing", volatile=True)
    wandb_sweep: Text | None = option(
        "a new folder: the search's W&B sweeps are written there, and nothing is trained; null: no",
        default=None,
        volatile=True,
    )
    extend: bool = option("let a longer run go on from a shorter one that is done", volatile=True)
    pause_at: PositiveCount | None = option(
        "epochs after which a run pauses itself; null: it does not", default=None, volatile=True
    )
    fail_fast: bool = option("end the sweep with the first run that fails", volatile=True)
    report: bool = option("write a report when the sweep ends", volatile=True)
    unlock: bool = option("take no lock, where the file system knows none", volatile=True)

    _plain: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def data_seed(self) -> int:
        """What the order, or the drawing, of training examples follows from."""
        return self.seed if self.order_seed is None else self.order_seed

    @property
    def plain(self) -> dict[str, Any]:
        """The composed config as plain values, exactly as it was written."""
        return self._plain

    def with_value(self, group: str, key: str, value: str | int) -> Self:
        """Return a copy whose key `group.key` has another value, in the plain values as well."""
        copied = self.model_copy(update={group: getattr(self, group).model_copy(update={key: value})})
        copied._plain = {**self._plain, group: {**self._plain[group], key: value}}
        return copied


AnyConfig = RunConfig[Any, Any]
# Of the command, not of a run.
COMMAND_OPTIONS = ("plan", "wandb_sweep", "rerun", "pause_at", "extend", "fail_fast", "unlock", "report")
CHOSEN_GROUPS = ("corpus", "data", "cell", "model", "init", "optimizer", "scheduler", "trainer", "logger")


def validate_config(
    values: Mapping[str, Any],
    corpus: type[CorpusT],
    data: type[DataT],
    cell: type[CellOptions],
) -> "RunConfig[CorpusT, DataT]":
    """Validate a composed config whose task and cell have these options.

    Raises UserError, one line, for the first key that is missing, unknown or invalid. Combinations of
    values are checked by `config.checks`.
    """
    own = {"corpus": corpus, "data": data, "cell": cell}
    groups = {
        name: validate_group(group, values[name], name)
        for name, group in own.items()
        if isinstance(values.get(name), Mapping)
    }
    config: RunConfig[CorpusT, DataT] = validate_group(RunConfig, {**values, **groups})
    config._plain = dict(values)
    return config
