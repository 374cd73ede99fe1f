"""Sections without charts: poems, published figures, provenance."""

import json
import re
from pathlib import Path

from tangsweep.reporting.blocks import PoemBlock, Table
from tangsweep.reporting.render.markdown import render_markdown
from tests.reporting.written_sweeps import (
    QUALITY,
    cells,
    find_block,
    record,
    report_of,
    write_optimizer_runs,
    write_run,
)


def test_poems_of_the_best_run_of_each_group(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"sgd": [500.0, 490.0], "adam": [400.0, 410.0]})
    for path in sweep.iterdir():
        (path / "poems.txt").write_text(
            f"# 日  5 characters\n{path.name}，\n<b>。\n\n# 山  5\n山。\n", encoding="utf-8"
        )
    verses = find_block(report_of(sweep), "Poems", PoemBlock)
    assert verses.poems == [
        ("adam, seed 0", "optimizer-adam_seed-0-00000000，\n<b>。\n\n山。"),
        ("sgd, seed 1", "optimizer-sgd_seed-1-00000001，\n<b>。\n\n山。"),
    ]


def test_quality_of_poems_beside_the_perplexity(sweep: Path) -> None:
    write_run(sweep, "a-1", record(400.0, quality=QUALITY, overrides=["optimizer=a"]))
    write_run(sweep, "b-1", record(500.0, overrides=["optimizer=b"]), optimizer__lr=1)
    report = report_of(sweep)
    table = find_block(report, "Poems", Table)
    assert table.rows[0] == ["a", "62%", "7%", "60%", "–", "–", "25%", "90%", "100%", "6", "3%", "400.0"]
    assert table.rows[1][1:-1] == ["–"] * 10
    assert report.tables["runs"]["free_longest_copy"].dropna().tolist() == [6]


def test_published_figures(sweep: Path) -> None:
    figures = {
        "vocabulary": {"published": 2558, "ours": 2558},
        "train_perplexity": {"published": 57.7, "ours": None},
    }
    differing = {"differences": "epochs are not stated"}
    write_run(sweep, "a-1", record(400.0, published=figures, ended="budget"), published=differing)
    report = report_of(sweep)
    assert "a-1 differs in its setting: epochs are not stated." in next(
        section.blocks for section in report.sections if section.title == "Published figures"
    )
    rows = find_block(report, "Published", Table).rows
    assert rows == [
        ["a-1", "vocabulary", "2,558", "2,558", "10 epochs, 1000 steps, ended by budget", "–"],
        ["a-1", "train_perplexity", "57.7", "–", "10 epochs, 1000 steps, ended by budget", "–"],
    ]


def test_published_figures_beside_a_changed_setting_say_so(sweep: Path) -> None:
    overrides = ["experiment=tang_500", "trainer.max_epochs=2", "seed=1"]
    figures = {"train_perplexity": {"published": 57.7, "ours": 300.0}}
    write_run(sweep, "a-1", record(400.0, published=figures, ended="budget", overrides=overrides))
    table = find_block(report_of(sweep), "Published", Table)
    assert cells(table, "changed by the command") == ["trainer.max_epochs=2"]
    assert "the published ones do not compare with" in table.note


def test_odd_values_in_records_are_no_crash(sweep: Path) -> None:
    write_run(sweep, "a-1", record(400.0, seed=None, published={"a": 3}))
    write_run(sweep, "b-1", record(300.0), optimizer__lr=1)
    nasty = ["optimizer=<img src=x>", "data.name=a b"]
    (sweep / "commands.jsonl").write_text(
        json.dumps({"arguments": None}) + "\n" + json.dumps({"arguments": nasty})
    )
    report = report_of(sweep)
    assert "'data.name=a b'" in next(
        p for s in report.sections if s.title == "Provenance" for p in s.blocks if isinstance(p, str)
    )
    assert "<img" not in re.sub(r"`[^`]*`", "", render_markdown(report)).replace("\\<", "")
