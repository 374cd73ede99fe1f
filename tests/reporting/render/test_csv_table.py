"""Tables as CSV: text cells are no formulas, numbers stay numbers."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from tangsweep.reporting.build import report_on, write_report
from tangsweep.reporting.render.csv_table import render_csv
from tests.reporting.written_sweeps import record, write_run


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+optimizer.fused=false", "'+optimizer.fused=false"),
        ("-m optimizer=adam", "'-m optimizer=adam"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" \t=1+1", "' \t=1+1"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        (-0.5, "-0.5"),
        ("lr=0.1", "lr=0.1"),
        ("", ""),
        (None, ""),
        (["=1"], "['=1']"),
    ],
)
def test_a_cell(cell: object, written: str) -> None:
    lines = csv.reader(io.StringIO(render_csv(pd.DataFrame({"a": [cell, "text"], "n": [-1.5, 2]}))))
    assert list(lines) == [["a", "n"], [written, "-1.5"], ["text", "2.0"]]


def test_no_table_of_a_report_holds_a_formula(sweep: Path) -> None:
    formula = "=HYPERLINK(A1)"
    for lr in (1, 2):
        result = record(300.0 + lr, overrides=[f"optimizer={formula}", f"optimizer.lr={lr}"], error=formula)
        ways = {formula: {formula: {"nats": 3.0, "characters": 2}}}
        write_run(
            sweep, f"{formula}-{lr}", {**result, "breakdown": {"set": "dev", "ways": ways}}, optimizer__lr=lr
        )
    files = write_report(report_on([sweep])[1], sweep, pictures=False)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in files if path.suffix == ".csv"}
    tables = {name: list(csv.reader(io.StringIO(text))) for name, text in texts.items()}
    assert {"runs", "epochs", "ranking", "breakdown"} <= tables.keys()
    for name, rows in tables.items():
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))], name
    assert f"'{formula}" in {cell for row in tables["runs"] for cell in row}
