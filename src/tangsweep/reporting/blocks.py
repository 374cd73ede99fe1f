"""The building blocks of a report before it is HTML or Markdown: tables, charts, poems, sections."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import altair as alt
import pandas as pd
from pydantic import JsonValue

from tangsweep.reporting.analysis.ranking import Ranking

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart
VegaLiteSpec = dict[str, JsonValue]


class Table(NamedTuple):
    """A table of formatted cells; the first `text_columns` columns hold text, the others numbers."""

    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    text_columns: int = 1


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
    """Poems side by side."""

    poems: list[tuple[str, str]]  # heading and poem


Block = str | Table | Chart | PoemBlock


@dataclass(frozen=True)
class Section:
    """A section of the page, with its CSV tables by name and its warnings for the top of the page."""

    title: str
    blocks: list[Block]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def numbered(self, number: int, title: str) -> "Section":
        """Return this section as that of one ranking among several: its charts and tables get the number."""
        blocks = [b._replace(name=f"{b.name}-{number}") if isinstance(b, Chart) else b for b in self.blocks]
        tables = {f"{name}-{number}": table for name, table in self.tables.items()}
        return replace(self, title=f"{self.title} ({title})", blocks=blocks, tables=tables)


class Report(NamedTuple):
    """The content of a report; `tables` are written as CSV files under their names."""

    title: str
    question: str
    answers: list[str]
    warnings: list[str]
    facts: list[tuple[str, str]]  # name and value
    sections: list[Section]
    tables: dict[str, pd.DataFrame]
    rankings: list[Ranking]

    @property
    def charts(self) -> list[Chart]:
        return [block for section in self.sections for block in section.blocks if isinstance(block, Chart)]
