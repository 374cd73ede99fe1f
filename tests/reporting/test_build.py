"""Whole reports: their files, their tables, folders without runs."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on, write_report
from tests.reporting.written_sweeps import (
    CORPUS,
    cells,
    find_block,
    record,
    report_of,
    write_optimizer_runs,
    write_run,
)


def test_folders_without_runs(home: Path) -> None:
    with pytest.raises(UserError, match="does not exist: name the folder of a sweep"):
        report_on([home / "nowhere"])
    (home / "empty").mkdir()
    with pytest.raises(UserError, match="holds no run"):
        report_on([home / "empty"])


def test_runs_that_have_not_ended_only(sweep: Path) -> None:
    write_run(sweep, "a-1", None)
    report = report_of(sweep)
    assert report.answers == ["No run has a score yet."]
    assert cells(find_block(report, "Ranking", Table), "development perplexity") == ["–"]


def test_files(sweep: Path, tmp_path: Path) -> None:
    nasty = "</script><script>alert(1)</script>"
    write_optimizer_runs(sweep, {"sgd": [500.0, 510.0], "adam": [400.0, 410.0]})
    broken = record(None, seed=7, status="failed", error=f"<b>{nasty}|", dev=None, train=None, last=None)
    write_run(sweep, "nasty-1", {**broken, "overrides": [f"optimizer={nasty}"]}, optimizer__lr=nasty)
    before = {path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    files = write_report(report_of(sweep), out)
    assert {
        path: path.read_bytes() for path in sweep.rglob("*") if path.is_file()
    } == before  # nothing is changed
    assert {str(path.relative_to(out)) for path in files} == {
        "report.html", "report.md", "tables/runs.csv", "tables/epochs.csv", "tables/ranking.csv",
        "figures/curves.png", "figures/curves.svg", "figures/scores.png", "figures/scores.svg",
    }  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    body = page[: page.index("<script>")]
    assert "<script>alert" not in page
    assert "&lt;b&gt;&lt;/script&gt;" in body
    assert "default-src 'none'" in page
    assert (out / "figures" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "figures" / "curves.svg").read_text().startswith("<svg")
    markdown = (out / "report.md").read_text(encoding="utf-8")
    assert "\\<b\\>" in markdown and "![curves](figures/curves.png)" in markdown
    runs = pd.read_csv(out / "tables" / "runs.csv")
    assert len(runs) == 5 and runs["run"].is_unique
    assert {"config.optimizer.lr", "config.seed", "dev_perplexity"} <= set(runs.columns)
    epochs = pd.read_csv(out / "tables" / "epochs.csv")
    assert epochs.groupby("run").size().tolist() == [3] * 5
    first = epochs[epochs["group"] == "adam"].iloc[2]
    assert (first["epoch"], first["characters"], first["dev_loss"], first["train_loss"]) == (
        2,
        10_000,
        5.0,
        4.5,
    )


def test_every_column_of_every_table_is_documented(sweep: Path) -> None:
    documented = set(
        re.findall(r"`([^`]+)`", (REPOSITORY / "docs" / "report.md").read_text(encoding="utf-8"))
    )
    for rate in (0.1, 1.0):
        for poems in (50, 500, 5_000):
            corpus = {**CORPUS, "characters": {"train": 50 * poems, "dev": 700}, "length": 5}
            overrides = [f"optimizer.lr={rate}", f"data.poems={poems}"]
            write_run(
                sweep,
                f"{rate}-{poems}",
                record(400.0, corpus=corpus, overrides=overrides),
                optimizer__lr=rate,
                data__poems=poems,
            )
    tables = report_of(sweep).tables
    assert set(tables) == {"runs", "epochs", "ranking", "learning_rates", "sizes", "solved", "tuned"}
    of_poems = re.compile("^(free|constrained)_|^(dev|test)_(?=known_|oov_)")
    for name, table in tables.items():
        plain = {column for column in table if not column.startswith("config.")}
        assert {of_poems.sub("", column) for column in plain} <= documented, name
