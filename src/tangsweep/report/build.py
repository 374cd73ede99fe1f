"""The map of a report: what was collected → sections of tables, charts and poems."""

from collections.abc import Mapping

import pandas as pd

from tangsweep.report.analysis import summary, warnings
from tangsweep.report.analysis.ranking import Ranking, rank
from tangsweep.report.charts import curves, learning_rates
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.collect import Collected
from tangsweep.report.data.comparability import comparable_sets
from tangsweep.report.render.blocks import Block, Chart, Report, Section, Table
from tangsweep.report.render.ranking_table import beside, ranking_rows, table
from tangsweep.report.sections import whole


def build(found: Collected, title: str) -> Report:
    """Raises nothing for what is missing: it is left out or said."""
    rankings = [rank(part) for part in comparable_sets(found.runs)]
    sections, tables = [], {"runs": _tidy_runs(found), "epochs": found.epochs}
    tables["ranking"] = pd.concat([ranking_rows(ranking) for ranking in rankings] or [pd.DataFrame()])
    several = len(rankings) > 1
    for number, ranking in enumerate(rankings, 1):
        suffix = f" ({ranking.part.title})" if several else ""
        name = f"-{number}" if several else ""
        sections += _of_part(found, ranking, suffix, name, tables)
    sections += whole(found, rankings, tables)
    answers = [
        f"{ranking.part.title}: {sentence}" if several else sentence
        for ranking in rankings
        for sentence in summary.answer(ranking)
    ]
    return Report(
        title,
        summary.question(found),
        answers,
        warnings.warnings(found, rankings) + _edges(tables),
        summary.facts(found),
        [section for section in sections if section.parts],
        tables,
        rankings,
    )


def _of_part(
    found: Collected,
    ranking: Ranking,
    suffix: str,
    name: str,
    tables: dict[str, pd.DataFrame],
) -> list[Section]:
    """What one set of comparable runs has of its own."""
    part = ranking.part
    epochs = found.epochs[found.epochs["run"].isin(part.runs["run"])]
    look = GroupStyle(part.runs["group"], found.runs["group"])
    sections = [Section(f"Ranking{suffix}", [table(ranking), *beside(ranking, epochs)])]
    if len(epochs):
        drawn = curves.chart(epochs, part.runs, look, part.by_accuracy, [g.group for g in ranking.groups])
        sections.append(Section(f"Curves{suffix}", [Chart.of(f"curves{name}", curves.caption(part), drawn)]))
    rates = learning_rates.table(part, found.configs)
    if len(rates):
        tables[f"learning_rates{name}"] = rates
        sections.append(Section(f"Learning rates{suffix}", _rates(rates, name)))
    return sections


DEEPOBS = (
    "After the protocol of DeepOBS (Schneider, Balles and Hennig 2019): each optimizer over its own grid, "
    "judged by its best development score, mean over seeds. A triangle at the top edge diverged, a ring is "
    "the best."
)


def _rates(rates: pd.DataFrame, name: str) -> list[Block]:
    robust = learning_rates.robustness(rates)
    rows = [[group, f"{share:.0%}"] for group, share in sorted(robust.items(), key=lambda pair: -pair[1])]
    edges = learning_rates.at_the_edge(rates)
    unfinished = int((rates["score"].isna() & ~rates["diverged"]).sum())
    parts: list[Block] = [
        Chart.of(f"learning_rates{name}", DEEPOBS, learning_rates.chart(rates, GroupStyle(rates["group"]))),
        Table(["group", "rates within 10 % of its best"], rows, "Robustness: the share of the grid."),
    ]
    if unfinished:
        parts.append(f"{unfinished} rates have no run that ended: they are left out.")
    if edges:
        at = ", ".join(edges)
        parts.append(f"The best rate lies at the edge of its grid, and a better one may lie beyond: {at}.")
    return parts


def _edges(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    rates = [table for name, table in tables.items() if name.startswith("learning_rates")]
    edges = [edge for table in rates for edge in learning_rates.at_the_edge(table)]
    return [f"Best learning rate at the edge of its grid: {', '.join(edges)}."] if edges else []


def _tidy_runs(found: Collected) -> pd.DataFrame:
    """All columns, and of the config the keys whose values differ, as config.KEY."""
    keys = dict.fromkeys(key for config in found.configs.values() for key in config)
    varied = [
        key
        for key in keys
        if len({repr(found.configs[run].get(key)) for run in found.runs["run"]}) > 1 and key != "sweep.varied"
    ]
    added = {f"config.{key}": [found.configs[run].get(key) for run in found.runs["run"]] for key in varied}
    return pd.concat([found.runs, pd.DataFrame(added, index=found.runs.index)], axis=1)
