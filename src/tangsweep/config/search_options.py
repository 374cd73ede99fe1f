"""The config group of a search: a sweep whose settings are proposed one after another."""

from typing import Literal

from tangsweep.config.options import Options, option
from tangsweep.config.value_types import NaturalNumber, PositiveCount, Seed, Text


class SearchOptions(Options):
    """The group `search`: how the settings of a sweep with ranges are proposed, and which are trained on."""

    trials: PositiveCount | None = option(
        "settings that are tried for each value that is compared; null: no search", default=None
    )
    sampler: Literal["tpe", "random", "qmc", "gp"] = option(
        "how settings are proposed: by a model of those before (`tpe`, `gp`), at random, or evenly spread",
        default="tpe",
    )
    startup: NaturalNumber = option("settings that are drawn at random before a model proposes", default=10)
    seed: Seed = option("the proposals follow from it", default=0)
    seeds: list[Seed] = option(
        "of a setting: all have the first, the best ones the next; empty: `seed` alone",
        default=[],
    )
    eta: PositiveCount = option("one of so many settings is promoted to the next rung; 1: all", default=3)
    min_epochs: PositiveCount | None = option(
        "epochs to the first rung; null: a ninth of a run's epochs", default=None
    )
    at_once: PositiveCount = option("runs at a time on Ray and Slurm", default=8)
    known: list[Text] = option(
        "settings that are tried first, such as `optimizer=adam optimizer.lr=0.003`", default=[]
    )
