"""The head of a report: the question, the answer with its uncertainty, and what forbids to trust it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tangsweep.config import overrides
from tangsweep.report.analysis.ranking import Ranked, Ranking
from tangsweep.report.data import run_table
from tangsweep.report.data.collect import Collected
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.data.groups import varied
from tangsweep.report.render.formatting import shown
from tangsweep.report.render.ranking_table import shown_score

LEVEL = 0.05
NAMED = 5  # groups in a sentence


def question(found: Collected) -> str:
    """What the sweep file asks, else what was varied."""
    questions = (config.get("sweep.question") for config in found.configs.values())
    asked = [str(asked) for asked in questions if asked]
    if asked:
        return " ".join(dict.fromkeys(asked))
    told = varied(
        [overrides.varied_values(run_table.overridden(result)) for result in found.results.values()]
    )
    if not told:
        return "How does this run do?"
    listed = ", ".join(told[:-1]) + " and " if len(told) > 1 else ""
    return f"What {'do' if listed else 'does'} {listed}{told[-1]} change?"


def answer(ranking: Ranking) -> list[str]:
    """One or two sentences on one ranking."""
    part, ranked = ranking
    best = ranked[0]
    if best.score is None:
        return ["No run has a score yet."]
    if len(ranked) == 1:
        return [f"{best.group}: {_score(part, best)}."]
    first = f"{best.group} is best: {_score(part, best)}, {_ahead(part, ranked)}."
    return [first, _sure(part, ranked)]


def _score(part: ComparableRuns, group: Ranked) -> str:
    """The mean, over how many of the group's runs, and what became of the others."""
    assert group.score is not None
    metric = "accuracy" if part.by_accuracy else "development perplexity"
    told = f"{metric} {shown_score(group, part.by_accuracy)}"
    solved = [step for step in group.solved if step is not None]
    if group.solved:
        told = f"solved by {len(solved)} of {len(group.solved)} runs, {told}"
    over = f"{group.score.n} seeds" if group.score.n > 1 else "one seed"
    if group.failures:
        rest = ", ".join(f"{count} {status}" for status, count in group.failures.items())
        over += f"; of {group.of} runs {rest}"
    return f"{told} ({over})"


def _ahead(part: ComparableRuns, ranked: Sequence[Ranked]) -> str:
    second = ranked[1]
    if second.score is None:
        return f"the only one of {len(ranked)} with a score"
    assert ranked[0].score is not None
    how = "as good as" if second.score.mean == ranked[0].score.mean else "before"
    return f"{how} {second.group} with {_score(part, second)}"


def _sure(part: ComparableRuns, ranked: Sequence[Ranked]) -> str:
    """What a paired test of each other group against the first says; never more than it tested."""
    scored = [group for group in ranked[1:] if group.scores]
    if part.by_accuracy:
        return _apart(ranked[0], scored)
    tested = [group for group in scored if group.p is not None]
    beaten = [group.group for group in tested if _beaten(group)]
    close = [group.group for group in tested if not _beaten(group)]
    rest = [group for group in scored if group.p is None]
    few = [group.group for group in rest if _shared(ranked[0], group) < 2]
    equal = [group.group for group in rest if _shared(ranked[0], group) >= 2]
    told = []
    if beaten:
        told.append("ahead of " + ("all others" if len(beaten) == len(ranked) - 1 else named(beaten)))
    if close:
        told.append(f"not told apart from {named(close)}")
    if equal:
        told.append(
            f"not tested against {named(equal)}: their seeds differ by nothing, by the same, or without end"
        )
    if few and tested:
        told.append(f"not tested against {named(few)}, with which it shares too few seeds")
    if not told:
        return "Too few seeds to say how sure that is; add some (seed=0,1,2,3,4)."
    return f"Seed by seed it is {'; '.join(told)} (paired t-tests, Holm-corrected, level {LEVEL:g})."


def _apart(best: Ranked, others: Sequence[Ranked]) -> str:
    """Accuracies are bounded and often all or nothing: how far seeds reach, and no test."""
    if len(best.scores) < 2:
        return "One seed of it ended: nothing says how sure that is; add some (seed=0,1,2,3,4)."
    least = min(best.scores.values())
    clear = [group.group for group in others if max(group.scores.values()) < least]
    within = [group.group for group in others if max(group.scores.values()) >= least]
    told = [f"above every seed of {named(clear)}"] if clear else []
    told += [f"not above the best of {named(within)}"] if within else []
    return f"Its least accurate seed is {', and '.join(told)} (no test: accuracies are often all or nothing)."


def _shared(one: Ranked, other: Ranked) -> int:
    return len(set(one.scores) & set(other.scores))


def _beaten(group: Ranked) -> bool:
    if group.p is None or group.difference is None or group.p >= LEVEL:
        return False
    return group.difference.interval.mean > 0


def named(groups: Sequence[str]) -> str:
    return ", ".join(groups[:NAMED]) + (f" and {len(groups) - NAMED} more" if len(groups) > NAMED else "")


def facts(found: Collected) -> list[tuple[str, str]]:
    """Name and value of what one wants to know of a sweep before its figures."""
    runs = found.runs
    statuses = ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())
    seeds = sorted({int(seed) for seed in runs["seed"].dropna()})
    corpora = [
        _corpus(row)
        for _, row in runs.drop_duplicates(
            ["corpus", "corpus_fingerprint", "train_characters", "dev_characters"]
        ).iterrows()
    ]
    finished = runs["finished"].dropna()
    when = f"{finished.min()} to {finished.max()}" if len(finished) else "not recorded"
    spent = pd.to_numeric(runs["seconds"], errors="coerce").sum()
    return [
        ("corpus", "; ".join(name for name in corpora if name) or "unknown"),
        ("runs", f"{len(runs)} ({statuses}) in {runs['group'].nunique()} groups"),
        ("seeds", ", ".join(map(str, seeds)) or "none"),
        ("commit", ", ".join(commit[:12] for commit in _several(runs["commit"])) or "unknown"),
        ("machine", "; ".join(_several(runs["machine"])) or "not recorded"),
        ("ended", when),
        ("training time", f"{shown(round(float(spent)))} s over all runs"),
        ("versions", ", ".join(f"{k} {v}" for k in ("python", "torch") for v in _several(runs[k]))),
    ]


def _corpus(run: pd.Series) -> str:
    if pd.isna(run["corpus"]):
        return ""
    fingerprint = "" if pd.isna(run["corpus_fingerprint"]) else f" ({run['corpus_fingerprint']})"
    sizes = [(run["train_characters"], "training"), (run["dev_characters"], "held-out")]
    counted = [f"{shown(count)} {kind}" for count, kind in sizes if pd.notna(count)]
    return f"{run['corpus']}{fingerprint}" + (f": {' and '.join(counted)} characters" if counted else "")


def _several(values: pd.Series) -> list[str]:
    return [str(value) for value in values.dropna().unique()]


def published(results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Rows of run, figure, published, ours, and how far the run got."""
    rows = []
    for run, result in results.items():
        for name, figures in _figures(result):
            ours, theirs = figures.get("ours"), figures.get("published")
            got = f"{result.get('epochs')} epochs, {result.get('steps')} steps"
            rows.append([run, name, _plain(theirs), _plain(ours), f"{got}, ended by {result.get('ended')}"])
    return rows


def _figures(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    found = result.get("published")
    named = found.items() if isinstance(found, Mapping) else ()
    return [(name, figures) for name, figures in named if isinstance(figures, Mapping)]


def _plain(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "–" if value is None else f"{value:,.4g}" if number else str(value)
