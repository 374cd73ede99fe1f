import json
import math
from pathlib import Path

import pandas as pd
import pytest

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import COLUMNS, MetricsFile, read_result, write_result


def test_rows_are_on_disk_at_once_and_appended_to_later(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.csv")
    metrics.append({"step": 1, "train/loss": 2.5})
    assert pd.read_csv(tmp_path / "metrics.csv")["train/loss"].tolist() == [2.5]
    metrics.close()
    metrics.append({"step": 2})
    metrics.close()
    read = pd.read_csv(tmp_path / "metrics.csv")
    assert tuple(read.columns) == COLUMNS
    assert read["step"].tolist() == [1, 2]


def test_an_unknown_column_is_a_mistake_of_ours(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.csv")
    with pytest.raises(ValueError, match="not in fieldnames"):
        metrics.append({"steps": 1})
    metrics.close()


def test_a_record_is_plain_json(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_result(folder, {"status": "diverged", "a": math.nan, "b": [math.inf, 1.5], "c": {"d": "水"}})
    text = folder.result.read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert read_result(folder) == {"status": "diverged", "a": None, "b": [None, 1.5], "c": {"d": "水"}}


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"other": 1}'])
def test_what_is_no_record_reads_as_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    assert read_result(RunFolder(tmp_path)) is None
