"""Decide which runs may share a ranking: those whose scores count the same text with the same vocabulary."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from tangsweep.metrics import METRICS, Metric, perplexity_of
from tangsweep.reporting.data.groups import constant_parts, group_names
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record
from tangsweep.runs.state import ENDED, State

FINGERPRINTS = {"dev": "text", "split": "split", "vocabulary": "vocabulary", "corpus": "corpus"}


class RankedBy(NamedTuple):
    """The score that ranks comparable runs, which all of those that ended have."""

    set: str  # test, or dev where not every run was scored on one test set
    known: bool  # over the characters in the training vocabulary alone

    def column(self, score: str) -> str:
        """Return the column of `runs` that holds a score of this set."""
        return f"{self.set}_{'known_' if self.known else ''}{score}"


class ComparableRuns(NamedTuple):
    """Runs that may share a ranking; `title` says what they were scored on."""

    title: str
    metric: Metric
    runs: pd.DataFrame
    ranked_by: RankedBy
    constants: str = ""  # what all groups have alike, and their names therefore leave out: `length=10`
    full_names: Mapping[str, str] = {}  # of groups whose names are shorter here than in the whole report

    @property
    def heading(self) -> str:
        """The title with what all groups have alike, where the title does not say it."""
        return f"{self.title}, all with {self.constants}" if self.constants else self.title

    @property
    def by_accuracy(self) -> bool:
        """Whether accuracy ranks, which is bounded and often all or nothing: no intervals, no t-tests."""
        return self.metric.name == "accuracy"

    @property
    def score_column(self) -> str:
        """The column of `runs` that holds the score: an accuracy, or a loss in nats per character."""
        return "dev_accuracy" if self.by_accuracy else self.ranked_by.column("loss")

    @property
    def chosen_by(self) -> str:
        """The column of `runs` with the development score that chose the best epoch."""
        return f"dev_{self.metric.name}"

    @property
    def set_name(self) -> str:
        """The name of the set that ranks, for headings: `test` or `development`."""
        return "test" if self.ranked_by.set == "test" else "development"

    def shown(self, score: float) -> float:
        """Return a score as it is shown: a loss as the perplexity that it is the logarithm of."""
        return score if self.metric.name != "perplexity" else perplexity_of(score)


def without_paused(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs without those that a search has paused, which are not judged; all where no other is."""
    others = runs[runs["status"] != State.PAUSED]
    return runs if others.empty else others


def comparable_sets(runs: pd.DataFrame) -> list[ComparableRuns]:
    """Split the runs into comparable sets, the largest first.

    A run without a score joins its group, or else runs of its corpus and length.
    """
    if runs.empty:
        return []
    keys = pd.Series([_scored_on(run) for _, run in runs.iterrows()], index=runs.index, dtype=object)
    scored = keys[keys.notna()]
    if scored.empty:
        return [_comparable_runs(runs)]
    key_of_group = scored.groupby(runs.loc[scored.index, "group"]).first()
    keys = keys.where(keys.notna(), runs["group"].map(key_of_group))
    corpora = pd.Series([f"{run['corpus']}|{run['length']}" for _, run in runs.iterrows()], index=runs.index)
    key_of_corpus = scored.groupby(corpora[scored.index]).first()
    keys = keys.where(keys.notna(), corpora.map(key_of_corpus)).fillna("unscored")
    order = keys.value_counts().index
    return _disambiguate_titles([_comparable_runs(runs[keys == key]) for key in order])


def name_groups_within(
    comparable: ComparableRuns, configs: Mapping[str, FlatConfig], records: Mapping[str, Record]
) -> ComparableRuns:
    """Name the groups by what differs between them here; what is alike is said once, in the heading."""
    runs = comparable.runs
    names = {run: configs[run] for run in runs["run"]}
    own = {run: records[run] for run in names if run in records}
    if runs["group"].nunique() < 2:
        return comparable
    groups = runs["run"].map(group_names(names, own))
    constants = [
        part
        for part in constant_parts(list(names), configs, records)
        if part.partition("=")[0] not in comparable.title.replace(",", "").split()
    ]
    full_names = dict(zip(groups, runs["group"], strict=True))
    runs = runs.assign(group=groups)
    return comparable._replace(runs=runs, constants=" ".join(constants), full_names=full_names)


def _disambiguate_titles(sets: list[ComparableRuns]) -> list[ComparableRuns]:
    """Add fingerprints to titles that several sets share."""
    titles = [comparable.title for comparable in sets]
    return [
        comparable._replace(title=f"{comparable.title}, {_fingerprints(comparable.runs)}")
        if titles.count(comparable.title) > 1
        else comparable
        for comparable in sets
    ]


def _fingerprints(runs: pd.DataFrame) -> str:
    columns = {kind: runs[f"{name}_fingerprint"].dropna() for name, kind in FINGERPRINTS.items()}
    return " ".join(f"{kind} {column.iloc[0]}" for kind, column in columns.items() if len(column))


def _comparable_runs(runs: pd.DataFrame) -> ComparableRuns:
    names = runs["metric"].dropna()
    metric = METRICS.get(str(names.iloc[0]) if len(names) else "perplexity", METRICS["perplexity"])
    runs = runs.assign(
        dev_loss=runs["dev_loss"].where(runs["dev_loss"].notna(), _log(runs["dev_perplexity"]))
    )
    ranked_by = _ranked_by(runs, metric)
    return ComparableRuns(_title(runs, ranked_by), metric, runs, ranked_by)


def _ranked_by(runs: pd.DataFrame, metric: Metric) -> RankedBy:
    scored = runs[runs[f"dev_{metric.name}"].notna()]
    if metric.name == "accuracy" or scored.empty:
        return RankedBy("dev", False)
    is_tested = scored["test_loss"].notna().all() and scored["test_fingerprint"].nunique(dropna=False) == 1
    name = "test" if is_tested else "dev"
    return RankedBy(name, bool(scored[f"{name}_known_loss"].notna().all()))


def _log(perplexities: pd.Series) -> pd.Series:
    """Return losses; infinite where a record has a perplexity that is too large for a number."""
    return pd.Series(np.log(pd.to_numeric(perplexities, errors="coerce").astype(float)), perplexities.index)


def _scored_on(run: pd.Series) -> str | None:
    """Return a key that is equal for comparable runs: the same text and, for perplexity, the same vocabulary.

    None for a run without a score. Older records without a fingerprint of the development text are identified
    by that of their split or corpus, and by the number of scored characters.
    """
    if run["status"] not in ENDED or pd.isna(run["metric"]):
        return None
    identity = [run["metric"], run["corpus"], run["length"]]
    if run["metric"] != "accuracy":
        identity += [run["vocabulary_fingerprint"], run["vocabulary"]]
    if pd.notna(run["dev_fingerprint"]):
        return "|".join(map(str, [*identity, run["dev_fingerprint"]]))
    split = run["split_fingerprint"] if pd.notna(run["split_fingerprint"]) else run["corpus_fingerprint"]
    return "|".join(map(str, [*identity, split, run["dev_characters"]]))


def _title(runs: pd.DataFrame, ranked_by: RankedBy) -> str:
    scored = runs.dropna(subset=["corpus"])
    if scored.empty:
        return "runs without a score"
    first = scored.iloc[0]
    parts = [str(first["corpus"])]
    if pd.notna(first["length"]):
        parts.append(f"length {first['length']:.0f}")
    if ranked_by.set == "test" and pd.notna(first["test_characters"]):
        parts.append(f"{first['test_characters']:,.0f} test characters")
    elif pd.notna(first["dev_characters"]):
        parts.append(f"{first['dev_characters']:,.0f} held-out characters")
    if pd.notna(first["vocabulary"]):
        parts.append(f"vocabulary {first['vocabulary']:,.0f}")
    return ", ".join(parts)
