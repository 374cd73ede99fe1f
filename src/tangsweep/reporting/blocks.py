"""The building blocks of a report before it is HTML or Markdown: tables, charts, poems, sections."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import altair as alt
import pandas as pd
from pydantic import JsonValue

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.formatting import MISSING

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart | alt.ConcatChart
VegaLiteSpec = dict[str, JsonValue]


class Table(NamedTuple):
    """A table of formatted cells; the first `text_columns` columns hold text, the others numbers.

    The page shows the `optional` columns on demand. Columns without any value are left out when the table is
    rendered, the first aside.
    """

    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    text_columns: int = 1
    optional: frozenset[str] = frozenset()
    explanations: Mapping[str, str] = {}  # of headings that text/glossary.py does not have
    links: Mapping[str, str] = {}  # first cell of a row → address

    def without_empty_columns(self) -> "Table":
        """Return the table without the columns in which every cell is missing."""
        places = [
            place
            for place in range(len(self.columns))
            if not place or any(row[place] not in (MISSING, "") for row in self.rows)
        ]
        return self._replace(
            columns=[self.columns[place] for place in places],
            rows=[[row[place] for place in places] for row in self.rows],
            text_columns=sum(place < self.text_columns for place in places),
        )


class Chart(NamedTuple):
    """A chart as a Vega-Lite specification; `name` is that of its files under figures/."""

    name: str
    caption: str
    spec: VegaLiteSpec

    @classmethod
    def from_altair(cls, name: str, caption: str, chart: AnyChart) -> "Chart":
        """Convert a chart; missing values are dropped from its rows, because JSON has no NaN."""
        with alt.data_transformers.disable_max_rows():
            spec = chart.to_dict()
        for rows in spec.get("datasets", {}).values():
            rows[:] = [{k: v for k, v in row.items() if v is not None and v == v} for row in rows]
        return cls(name, caption, spec)


class PoemBlock(NamedTuple):
    """Poems side by side, folded on the page under `caption`."""

    caption: str
    poems: list[tuple[str, str]]  # heading and poem


class RunConfigs(NamedTuple):
    """The configs of runs, of which the page sets two side by side."""

    shared: dict[str, str]  # keys with one value in all runs
    differing: dict[str, dict[str, str]]  # run → the other keys and their values
    first: list[str]  # the two runs that are shown at first; one where there is one


Block = str | Table | Chart | PoemBlock | RunConfigs


@dataclass(frozen=True)
class Section:
    """A section of the page, with its CSV tables by name and its warnings for the top of the page."""

    title: str
    blocks: list[Block]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    part: str = ""  # the ranking that the section belongs to, where there are several

    def numbered(self, number: int, part: str) -> "Section":
        """Return this section as that of one ranking among several: its charts and tables get the number."""
        blocks = [b._replace(name=f"{b.name}-{number}") if isinstance(b, Chart) else b for b in self.blocks]
        tables = {f"{name}-{number}": table for name, table in self.tables.items()}
        return replace(self, part=part, blocks=blocks, tables=tables)


class Answer(NamedTuple):
    """What the top of a report says on one ranking."""

    scored_on: str  # the title of the ranking
    headline: str  # one sentence with its uncertainty
    next_step: str  # what would settle more; empty where nothing is open
    rests_on: str  # texts, seeds, runs and time in one line
    details: list[str]  # sentences: scores, tests and their method, what was not compared
    chart: Chart | None  # scores with their intervals

    def numbered(self, number: int) -> "Answer":
        """Return this answer as one among several: its chart gets the number."""
        chart = self.chart and self.chart._replace(name=f"{self.chart.name}-{number}")
        return self._replace(chart=chart)


class Report(NamedTuple):
    """The content of a report; `tables` are written as CSV files under their names."""

    title: str
    question: str
    comparisons: list[Answer]
    warnings: list[str]
    facts: list[tuple[str, str]]  # name and value
    sections: list[Section]
    tables: dict[str, pd.DataFrame]
    rankings: list[Ranking]

    @property
    def answers(self) -> list[str]:
        """The sentences of all answers; those of several rankings begin with what was scored."""
        several = len(self.comparisons) > 1
        return [
            f"{answer.scored_on}: {sentence}" if several else sentence
            for answer in self.comparisons
            for sentence in answer.details
        ]

    @property
    def headlines(self) -> list[str]:
        """One sentence for each ranking; of several each begins with what was scored."""
        several = len(self.comparisons) > 1
        return [f"{a.scored_on}: {a.headline}" if several else a.headline for a in self.comparisons]

    @property
    def charts(self) -> list[Chart]:
        own = [answer.chart for answer in self.comparisons if answer.chart]
        return own + [b for section in self.sections for b in section.blocks if isinstance(b, Chart)]
