"""What may turn a comparison round: training that was too short, grids that end too soon, weak models."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from tangsweep.config.overrides import varied_values
from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.charts.learning_rates import best_at_grid_edge
from tangsweep.reporting.formatting import format_names
from tangsweep.runs.record import Record

LENGTH_KEYS = ("trainer.max_epochs", "trainer.max_steps", "trainer.patience", "data.poems")


def still_improving(ranking: Ranking) -> list[str]:
    """Return the scored groups of which at least half of the runs were best at their last epoch."""
    runs = ranking.comparable.runs
    ended = runs[runs["ended"].eq("budget") & runs["best_epoch"].notna()]
    at_end = ended["best_epoch"].astype(float) >= ended["epochs"].astype(float)
    shares = at_end.groupby(ended["group"]).sum() / runs["group"].value_counts()
    return [group.name for group in ranking.groups if group.score and shares.get(group.name, 0) >= 0.5]


def worse_than_baseline(ranking: Ranking) -> list[str]:
    """Return the groups that predict worse than character frequencies alone do."""
    comparable = ranking.comparable
    set_name = comparable.ranked_by.set
    column = f"{set_name}_known_unigram" if comparable.ranked_by.known else "unigram"
    baselines = comparable.runs[column].dropna()
    if comparable.by_accuracy or baselines.empty:
        return []
    unigram = float(baselines.iloc[0])
    return [g.name for g in ranking.groups if g.score and perplexity_of(g.score.mean) > unigram]


class Cautions(NamedTuple):
    """What may turn one comparison round."""

    improving: list[str]  # groups of what is judged that still improved at the last epoch
    weak: list[str]  # groups of what is judged that are worse than the unigram baseline
    edges: list[str]  # groups whose best learning rate is the lowest or highest of their grid

    @property
    def warnings(self) -> list[str]:
        """The warnings for the top of the page; the section on learning rates has that on edges."""
        warnings = []
        if self.improving:
            warnings.append(
                f"Still improving at the last epoch: {format_names(self.improving)}. "
                "Longer training may change the order."
            )
        if self.weak:
            warnings.append(
                f"Worse than character frequencies alone (the unigram baseline): {format_names(self.weak)}."
            )
        return warnings


def find_cautions(judged: Ranking, rates: pd.DataFrame) -> Cautions:
    """Return what may turn a comparison round; `rates` is the table of learning rates of all settings."""
    return Cautions(still_improving(judged), worse_than_baseline(judged), best_at_grid_edge(rates))


def shortened_experiments(records: Mapping[str, Record]) -> list[str]:
    """Warn of published settings whose length of training or number of poems a command changed."""
    shortened: dict[str, list[str]] = {}
    for record in records.values():
        values = varied_values(record.overrides or [])
        changed = [f"{key}={values[key]}" for key in LENGTH_KEYS if key in values]
        if changed and (name := values.get("experiment")):
            shortened.setdefault(name, []).extend(part for part in changed)
    return [
        f"experiment={name} was changed ({', '.join(dict.fromkeys(parts))}): its published figures are for "
        "the setting as it stands."
        for name, parts in shortened.items()
    ]


def sample_runs(runs: pd.DataFrame) -> list[str]:
    """Warn of the runs on the bundled sample, and name their number where others are on other texts."""
    is_sample = runs["corpus"].eq("sample")
    if not is_sample.any():
        return []
    which = "The corpus" if is_sample.all() else f"The corpus of {int(is_sample.sum())} of {len(runs)} runs"
    return [f"{which} is the bundled sample of 120 poems written for this project, NOT 全唐诗."]
