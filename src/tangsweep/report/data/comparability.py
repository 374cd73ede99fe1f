"""Which runs may stand in one ranking: those whose scores count the same text with the same vocabulary."""

from typing import NamedTuple

import pandas as pd

from tangsweep.runs.state import ENDED


class ComparableRuns(NamedTuple):
    """Runs that one ranking may hold, under a title that says what they were scored on."""

    title: str
    metric: str
    runs: pd.DataFrame

    @property
    def by_accuracy(self) -> bool:
        return self.metric == "accuracy"


def comparable_sets(runs: pd.DataFrame) -> list[ComparableRuns]:
    """The largest first. A run without scores goes with its group, else with its corpus and length."""
    if runs.empty:
        return []
    keys = pd.Series([_key(run) for _, run in runs.iterrows()], index=runs.index, dtype=object)
    known = keys[keys.notna()]
    if known.empty:
        return [_comparable(runs)]
    of_group = known.groupby(runs.loc[known.index, "group"]).agg(lambda found: found.iloc[0])
    keys = keys.where(keys.notna(), runs["group"].map(of_group))
    of_text = known.groupby(runs.loc[known.index].apply(_text, axis=1)).agg(lambda found: found.iloc[0])
    texts = pd.Series([_text(run) for _, run in runs.iterrows()], index=runs.index)
    keys = keys.where(keys.notna(), texts.map(of_text)).fillna("unscored")
    order = keys.value_counts().index
    parts = [runs[keys == key] for key in order]
    return _told_apart([_comparable(part) for part in parts])


def _told_apart(parts: list[ComparableRuns]) -> list[ComparableRuns]:
    """Titles that are the same get what the texts were known by."""
    titles = [part.title for part in parts]
    alike = [titles.count(title) > 1 for title in titles]
    return [
        part._replace(title=f"{part.title}, {_fingerprints(part.runs)}") if same else part
        for part, same in zip(parts, alike, strict=True)
    ]


def _fingerprints(runs: pd.DataFrame) -> str:
    kinds = {"dev": "text", "split": "split", "vocabulary": "vocabulary", "corpus": "corpus"}
    found = {kind: runs[f"{name}_fingerprint"].dropna() for name, kind in kinds.items()}
    return " ".join(f"{kind} {known.iloc[0]}" for kind, known in found.items() if len(known))


def _comparable(part: pd.DataFrame) -> ComparableRuns:
    metrics = part["metric"].dropna()
    return ComparableRuns(_title(part), str(metrics.iloc[0]) if len(metrics) else "perplexity", part)


def _key(run: pd.Series) -> str | None:
    """Equal for runs whose scores count the same: the same text, and for perplexities the same vocabulary.

    A record without a fingerprint of the held-out text has one of the split or the corpus, with its counts.
    """
    if run["status"] not in ENDED or pd.isna(run["metric"]):
        return None
    scored_on = [run["metric"], run["corpus"], run["length"]]
    if run["metric"] != "accuracy":
        scored_on += [run["vocabulary_fingerprint"], run["vocabulary"]]
    if pd.notna(run["dev_fingerprint"]):
        return "|".join(map(str, [*scored_on, run["dev_fingerprint"]]))
    split = run["split_fingerprint"] if pd.notna(run["split_fingerprint"]) else run["corpus_fingerprint"]
    return "|".join(map(str, [*scored_on, split, run["dev_characters"]]))


def _text(run: pd.Series) -> str:
    """What a run without a score would have been scored on, as far as its config tells."""
    return f"{run['corpus']}|{run['length']}"


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
