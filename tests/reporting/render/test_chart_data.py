"""Rows of charts by columns, which the page turns into rows again."""

import json
from pathlib import Path
from typing import Any

from tangsweep.reporting.build import report_on
from tangsweep.reporting.render.html_page import compact_datasets
from tests.reporting.written_sweeps import write_optimizer_runs


def as_rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """What page.html does."""
    rows: list[dict[str, Any]] = [{} for _ in range(data["rows"])]
    for name, column in data["columns"].items():
        is_text = isinstance(column, dict)
        for row, value in zip(rows, column["places"] if is_text else column, strict=True):
            if value is not None:
                row[name] = column["texts"][value] if is_text else value
    return rows


def test_no_row_is_lost() -> None:
    rows = [{"a": "x", "n": 1.0}, {"a": "y"}, {"a": "x", "n": 0.25, "b": True}, {"n": 1e300, "m": "1"}]
    [data] = compact_datasets({"datasets": {"d": rows}, "mark": "line"})["datasets"].values()
    assert as_rows(data) == rows
    assert compact_datasets({"mark": "line"}) == {"mark": "line"}


def test_all_charts_of_a_report(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 310.0], "sgd": [400.0, 401.0]})
    for chart in report_on([sweep])[1].charts:
        compact = compact_datasets(chart.spec)
        assert {name: as_rows(data) for name, data in compact["datasets"].items()} == chart.spec["datasets"]


def test_many_rows_take_a_third_of_their_length() -> None:
    rows = [
        {"run": f"run-{n // 50:08x}", "group": "adam", "epoch": n % 50, "loss": n / 7} for n in range(1000)
    ]
    spec = {"datasets": {"d": rows}}
    assert len(json.dumps(compact_datasets(spec))) < 0.4 * len(json.dumps(spec))
