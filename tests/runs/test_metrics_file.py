from pathlib import Path

import pandas as pd
import pytest

from tangsweep.runs.metrics_file import COLUMNS, MetricsFile


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
