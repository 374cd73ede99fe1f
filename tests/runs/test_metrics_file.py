from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.runs.metrics_file import COLUMNS, MetricsFile, format_metrics, parse_metrics

VALUES = {name: st.floats(allow_nan=False, allow_subnormal=False) for name in COLUMNS[2:]}


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


def rows_of(steps: range) -> list[dict[str, float | int | None]]:
    return [
        {"step": step, "epoch": 1, "train/loss": 0.1 + step / 3, "seconds": 1e-05, "val/loss": None}
        for step in steps
    ]


def content_of(file: MetricsFile) -> str:
    return file.path.read_bytes().decode()


def write_rows(path: Path, rows: list[dict[str, float | int | None]]) -> MetricsFile:
    file = MetricsFile(path)
    for row in rows:
        file.append(row)
    file.close()
    return file


def test_rows_after_a_checkpoint_are_cut_exactly(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "metrics.csv", rows_of(range(5)))
    text = content_of(file)
    file.path.write_bytes(f"{text}5,1,0.7".encode())  # killed while it wrote
    up_to_checkpoint = "".join(text.splitlines(keepends=True)[:4])
    assert not file.restore(up_to_checkpoint)
    assert content_of(file) == up_to_checkpoint
    assert [row["step"] for row in file.rows()] == [0, 1, 2]
    assert "val/loss" not in file.rows()[0]
    file.append(rows_of(range(3, 4))[0])
    file.close()
    assert content_of(file) == file.text == "".join(text.splitlines(keepends=True)[:5])


@pytest.mark.parametrize("damage", [lambda t: t[:30], lambda t: "", lambda t: t.replace("0.1", "0.7", 1)])
def test_other_content_is_kept_and_replaced(tmp_path: Path, damage: Callable[[str], str]) -> None:
    file = write_rows(tmp_path / "metrics.csv", rows_of(range(5)))
    text = file.text
    file.path.write_bytes(damage(text).encode())
    assert file.restore(text)
    assert content_of(file) == text
    assert (tmp_path / "metrics.broken").read_bytes() == damage(text).encode()


def test_lines_that_are_no_rows_are_counted_and_left_out() -> None:
    good = rows_of(range(3))
    header, *lines = format_metrics(good).splitlines()
    bad = ["", "1,2", f"{lines[0]},7", lines[0].replace("0.1", "x"), lines[0].replace("0", "", 1), "\x00" * 9]
    text = "".join(f"{line}\r\n" for line in [header, *lines[:2], *bad, lines[2]])
    rows, unreadable = parse_metrics(text + lines[0])  # whose end is not written yet
    assert rows == [{key: value for key, value in row.items() if value is not None} for row in good]
    assert unreadable == len(bad)
    assert parse_metrics(text.replace("val/loss", "val/lost")) == ([], 3 + len(bad))
    assert parse_metrics("") == parse_metrics("step,ep") == ([], 0)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"step": st.integers(0, 10**9), "epoch": st.integers(0, 10**6)}, optional=VALUES
        )
    )
)
def test_rows_are_read_as_they_were_written(rows: list[dict[str, float | int]]) -> None:
    assert parse_metrics(format_metrics(rows)) == (rows, 0)


def test_an_unknown_column_is_a_mistake_of_ours(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.csv")
    with pytest.raises(ValueError, match="not in fieldnames"):
        metrics.append({"steps": 1})
    metrics.close()
