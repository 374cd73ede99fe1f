"""How a search came to its result: the incumbent, what mattered, and whether pruning could be trusted."""

from collections.abc import Collection, Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.errors import UserError
from tangsweep.metrics import perplexity_of
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.search_results import (
    SearchResults,
    incumbent_history,
    parameter_importances,
    read_search_results,
    rung_correlations,
)
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData

HISTORY = "The lowest development score so far, at whatever rung, after each result of a value's own search."
SLICES = (
    "Each setting by one of its parameters, scored at the first rung, where all had been trained equally "
    "long. Full points were promoted. Settings that diverged are left out."
)
MAP = "The two parameters that explain most, and the score at the first rung: darker is better."
CORRELATION = (
    "Spearman's rank correlation of scores at neighbouring rungs. It is over settings that were promoted, so "
    "over the better ones: near 1, pruning kept the right ones; near 0, it chose among equals."
)
IMPORTANCE = (
    "The share of the spread in rank at the first rung that a parameter explains alone (ε², four equally "
    "full parts of a range). A model proposes more settings where it expects good ones, which lowers it."
)
MIN_SLICED = 4  # settings of an arm; fewer show no shape


def search_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section of each search among the sweeps together; None where there is none."""
    sweeps = dict.fromkeys(folder.path.parent for folder in data.folders.values())
    blocks: list[Block] = []
    values = [data.values[run] for run in data.records]
    for number, sweep in enumerate(sweeps):
        try:
            results = read_search_results(sweep)
        except UserError as error:
            blocks.append(f"{error}.")
            continue
        if results is not None:
            blocks += _blocks(results, _is_accuracy(rankings), f"-{number}" if number else "", values)
    return Section("Search", blocks) if blocks else None


def _is_accuracy(rankings: Sequence[Ranking]) -> bool:
    return any(ranking.comparable.by_accuracy for ranking in rankings)


def _blocks(results: SearchResults, by_accuracy: bool, suffix: str, values: Sequence[str]) -> list[Block]:
    """Return the blocks of one search; `values` are all that the report compares, which have colours."""
    title = "development accuracy" if by_accuracy else "development perplexity"
    blocks: list[Block] = [_outcomes(results, by_accuracy)]
    history = _with_score(incumbent_history(results), "value", by_accuracy)
    if len(history) > 1:
        blocks.append(
            Chart.from_altair(f"search_history{suffix}", HISTORY, _history_chart(history, title, values))
        )
    importances = parameter_importances(results)
    sliced = _sliced(results, by_accuracy)
    for key, own in sliced.groupby("key", sort=False):
        name = str(key).replace(".", "_")
        blocks.append(
            Chart.from_altair(
                f"search_{name}{suffix}", SLICES, _slice_chart(own, str(key), title, values, results.log_keys)
            )
        )
    for arm, keys in _best_pairs(importances, sliced).items():
        chart = _map_chart(sliced[sliced["arm"].eq(arm)], keys, title, results.log_keys)
        name = f"search_map_{_label(arm).replace(' ', '_')}{suffix}"
        blocks.append(Chart.from_altair(name, f"{_label(arm)}. {MAP}", chart))
    if not importances.empty:
        rows = [[_label(a), k, f"{s:.2f}"] for a, k, s in importances.itertuples(index=False, name=None)]
        blocks.append(Table(["compared", "parameter", "importance"], rows, IMPORTANCE, text_columns=2))
    correlations = rung_correlations(results)
    if not correlations.empty:
        rows = [
            [_label(arm), rungs, str(settings), f"{rho:.2f}"]
            for arm, rungs, settings, rho in correlations.itertuples(index=False, name=None)
        ]
        columns = ["compared", "rungs", "settings", "rank correlation"]
        blocks.append(Table(columns, rows, CORRELATION, text_columns=2))
    return blocks


def _label(arm: str) -> str:
    """Return `adam` for `optimizer=adam`, as the rest of the page has it; `length=10` for other keys."""
    parts = [part.partition("=") for part in arm.split(" ")]
    return " ".join(
        value if equals and "." not in key else f"{key.rpartition('.')[2]}{equals}{value}"
        for key, equals, value in parts
    )


def _score(value: float, by_accuracy: bool) -> float:
    return 1 - value if by_accuracy else perplexity_of(value)


def _with_score(table: pd.DataFrame, column: str, by_accuracy: bool) -> pd.DataFrame:
    return table.assign(score=[_score(value, by_accuracy) for value in table[column].astype(float)])


def _outcomes(results: SearchResults, by_accuracy: bool) -> Table:
    """Return how many settings of each arm came to which rung, and the best of the highest."""
    rows = []
    for arm, own in results.trials.groupby("arm", sort=False):
        names = results.rungs[str(arm)]
        reached = [f"{int((own['rung'] >= rung).sum())} × {name}" for rung, name in enumerate(names)]
        best = own.sort_values(["rung", "value"], ascending=[False, True]).iloc[0]
        texts = results.parameters[results.parameters["trial"].eq(best["trial"])]
        setting = " ".join(f"{key}={text}" for key, text in zip(texts["key"], texts["text"], strict=True))
        diverged = int(np.isinf(own["value"]).sum())
        score = _score(float(best["value"]), by_accuracy)
        rows.append([_label(str(arm)), " → ".join(reached), str(diverged), setting, f"{score:.4g}"])
    columns = ["compared", "settings", "diverged", "best", "its score"]
    note = "Settings that came to each rung; the others are paused, and `rerun=paused` takes them up again."
    explanations = {"its score": "development score at the highest rung that any setting has reached"}
    return Table(columns, rows, note, text_columns=2, explanations=explanations)


def _sliced(results: SearchResults, by_accuracy: bool) -> pd.DataFrame:
    """Return one row per setting and numeric parameter, with its score at the first rung."""
    numbers = results.parameters.dropna(subset=["number"])
    table = numbers.merge(results.trials[["trial", "rung", "first"]], on="trial")
    table = table[np.isfinite(table["first"].astype(float))]
    sizes = table.groupby(["arm", "key"])["trial"].transform("size")
    table = table[sizes >= MIN_SLICED]
    return _with_score(table, "first", by_accuracy).assign(promoted=table["rung"] > 0)


def _best_pairs(importances: pd.DataFrame, sliced: pd.DataFrame) -> dict[str, list[str]]:
    """Return, for arms with at least two numeric parameters, the two that explain most."""
    pairs = {}
    for arm, own in importances.groupby("arm", sort=False):
        keys = set(sliced.loc[sliced["arm"].eq(arm), "key"])
        ordered = [key for key in own["key"] if key in keys]
        if len(ordered) > 1:
            pairs[str(arm)] = ordered[:2]
    return pairs


def _scale(is_log: bool) -> alt.Scale:
    return alt.Scale(type="log") if is_log else alt.Scale(zero=False)


def _score_scale(scores: pd.Series) -> alt.Scale:
    """Return a logarithmic scale for scores that span more than a factor of two."""
    low, high = float(scores.min()), float(scores.max())
    return _scale(low > 0 and high / low > 2)


def _history_chart(history: pd.DataFrame, title: str, values: Iterable[str]) -> AnyChart:
    groups = history["arm"].map(_label)
    style = GroupStyle(groups, values)
    scale = _score_scale(history["score"])
    chart: alt.Chart = (
        alt.Chart(history.assign(group=groups))
        .mark_line(interpolate="step-after", point=True)
        .encode(
            x=alt.X("results:Q", title="results", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("score:Q", title=title, scale=scale),
            color=style.line_colour,
            tooltip=["group:N", "results:Q", alt.Tooltip("score:Q", format=".4g")],
        )
        .properties(width=560, height=260)
    )
    return chart


def _slice_chart(
    rows: pd.DataFrame, key: str, title: str, values: Iterable[str], log_keys: Collection[str]
) -> AnyChart:
    groups = rows["arm"].map(_label)
    style = GroupStyle(groups, values)
    chart: alt.Chart = (
        alt.Chart(rows.assign(group=groups))
        .mark_point(size=50)
        .encode(
            x=alt.X("number:Q", title=key, scale=_scale(key in log_keys)),
            y=alt.Y("score:Q", title=title, scale=_score_scale(rows["score"])),
            color=style.line_colour,
            fill=style.fill_colour,
            fillOpacity=alt.condition("datum.promoted", alt.value(0.9), alt.value(0)),
            tooltip=["group:N", "text:N", alt.Tooltip("score:Q", format=".4g"), "trial:Q"],
        )
        .properties(width=560, height=240)
    )
    return chart


def _map_chart(rows: pd.DataFrame, keys: Sequence[str], title: str, log_keys: Collection[str]) -> AnyChart:
    wide = rows.pivot_table(index=["trial", "score"], columns="key", values="number").reset_index()
    wide = wide[["trial", "score", *keys]].dropna().set_axis(["trial", "score", "first", "second"], axis=1)
    chart: alt.Chart = (
        alt.Chart(wide)
        .mark_circle(size=110)
        .encode(
            x=alt.X("first:Q", title=keys[0], scale=_scale(keys[0] in log_keys)),
            y=alt.Y("second:Q", title=keys[1], scale=_scale(keys[1] in log_keys)),
            color=alt.Color("score:Q", title=title, scale=alt.Scale(scheme="viridis", type="log")),
            tooltip=["trial:Q", "first:Q", "second:Q", alt.Tooltip("score:Q", format=".4g")],
        )
        .properties(width=420, height=300)
    )
    return chart
