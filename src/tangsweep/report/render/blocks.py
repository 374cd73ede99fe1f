"""What a report is made of, before it is a page or Markdown."""

from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from tangsweep.report.analysis.ranking import Ranking


class Table(NamedTuple):
    """Cells as they are printed; the first `names` columns are words, the others numbers."""

    columns: list[str]
    rows: list[list[str]]
    note: str = ""
    names: int = 1


class Chart(NamedTuple):
    """`name` is that of its files under figures/; `spec` is Vega-Lite."""

    name: str
    caption: str
    spec: dict[str, Any]

    @classmethod
    def of(cls, name: str, caption: str, drawn: Any) -> "Chart":
        """An Altair chart. JSON knows no NaN: a value that is missing is left out of its row."""
        with alt.data_transformers.disable_max_rows():
            spec = drawn.to_dict()
        for rows in spec.get("datasets", {}).values():
            rows[:] = [{k: v for k, v in row.items() if v is not None and v == v} for row in rows]
        return cls(name, caption, spec)


class Verses(NamedTuple):
    """Poems side by side: (heading, poem)."""

    poems: list[tuple[str, str]]


Block = str | Table | Chart | Verses


class Section(NamedTuple):
    title: str
    parts: list[Block]


class Report(NamedTuple):
    """Everything but its looks. `tables` are the tidy ones, by the name of their CSV file."""

    title: str
    question: str
    answers: list[str]
    warnings: list[str]
    facts: list[tuple[str, str]]
    sections: list[Section]
    tables: dict[str, pd.DataFrame]
    rankings: list[Ranking]
