"""Which runs may stand in one ranking: those whose scores count the same text with the same vocabulary."""

from typing import NamedTuple

import pandas as pd

# Perplexities compare where all of these agree; accuracies where the task and what is scored do.
BY_PERPLEXITY = ("metric", "corpus", "dev_fingerprint", "vocabulary_fingerprint")
BY_ACCURACY = ("metric", "corpus", "length", "dev_fingerprint")
UNSCORED = ("failed", "running", "interrupted", "crashed", "missing")


class Comparable(NamedTuple):
    """Runs that one ranking may hold, under a title that says what they were scored on."""

    title: str
    metric: str
    runs: pd.DataFrame

    @property
    def by_accuracy(self) -> bool:
        return self.metric == "accuracy"


def sets(runs: pd.DataFrame) -> list[Comparable]:
    """The largest first. A run without scores goes with the others of its group, else with the largest."""
    if runs.empty:
        return []
    keys = pd.Series([_key(run) for _, run in runs.iterrows()], index=runs.index, dtype=object)
    known = keys[keys.notna()]
    if known.empty:
        return [_comparable(runs)]
    largest = known.value_counts().index[0]
    of_group = known.groupby(runs.loc[known.index, "group"]).agg(lambda found: found.iloc[0])
    keys = keys.where(keys.notna(), runs["group"].map(of_group)).fillna(largest)
    order = keys.value_counts().index
    parts = [runs[keys == key] for key in order]
    return [_comparable(part) for part in parts]


def _comparable(part: pd.DataFrame) -> Comparable:
    metrics = part["metric"].dropna()
    return Comparable(_title(part), str(metrics.iloc[0]) if len(metrics) else "perplexity", part)


def _key(run: pd.Series) -> str | None:
    if run["status"] in UNSCORED or pd.isna(run["metric"]):
        return None
    columns = BY_ACCURACY if run["metric"] == "accuracy" else BY_PERPLEXITY
    return "|".join(str(run[column]) for column in columns)


def _title(part: pd.DataFrame) -> str:
    scored = part.dropna(subset=["corpus"])
    if scored.empty:
        return "runs without a score"
    first = scored.iloc[0]
    told = [str(first["corpus"])]
    if pd.notna(first["length"]):
        told.append(f"length {first['length']:.0f}")
    if pd.notna(first["dev_characters"]):
        told.append(f"{first['dev_characters']:,.0f} held-out characters")
    if pd.notna(first["vocabulary"]):
        told.append(f"vocabulary {first['vocabulary']:,.0f}")
    return ", ".join(told)
