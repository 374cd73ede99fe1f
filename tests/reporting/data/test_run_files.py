"""Files that are cut off, foreign or of another shape: named in the report, and no crash."""

import math
from pathlib import Path
from typing import Any

import pytest

from tangsweep.reporting.build import report_on, write_report
from tests.reporting.written_sweeps import record, write_run


class TestBadInput:
    """What no run of this project writes, one by one beside a run that is as it should be."""

    WRONG = (
        {"seed": "abc"}, {"seed": 1.5}, {"overrides": 5}, {"git": {"commit": 5, "dirty": "yes"}}, {"finished": 5},
        {"published": {"a": {"ours": "x", "published": [1]}}}, {"published": 3}, {"seconds": math.inf},
        {"machine": {}}, {"corpus": {"name": "tang", "length": "x", "characters": {"train": "x"}}},
        {"corpus": "tang"}, {"dev": {"perplexity": "x", "loss": 5.0}}, {"dev": 3}, {"best_epoch": [1]}, {"quality": []},
        {"overrides": ["optimizer=\ud800"]}, {"solved_step": True}, {"baselines": {"unigram": "x"}},
    )  # fmt: skip

    @pytest.mark.parametrize("changes", WRONG, ids=repr)
    def test_a_value_of_the_wrong_type_is_left_out(self, sweep: Path, changes: dict[str, Any]) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        write_run(sweep, "odd-1", record(300.0) | changes, optimizer__lr=1)
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        assert len(data.runs) == 2
        assert (
            [u for u in data.unreadable if "of the wrong type" in u.reason]
            or "overrides" in changes
            or "a" in changes.get("published", {} if isinstance(changes.get("published"), dict) else "-")
        )

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("result.json", '{"status": [], "primary": {}}', "no record of this project"),
            ("result.json", "[" * 100_000, "no JSON: RecursionError"),
            ("config.yaml", "a: 2020-99-99", "no config: ValueError"),
            ("config.yaml", "a: &x [*x]\nb: &y {c: *y}", "no config: RecursionError"),
            (
                "metrics.csv",
                "step,epoch,val/loss\n1,1,5\n2,1,5,6,7\n",
                "1 lines are no valid rows and left out",
            ),
            (
                "metrics.csv",
                "step,epoch,val/loss,val/accuracy\n1,1,5,0.1\n2,2,,0.1\n",
                "1 evaluations have a loss",
            ),
            ("metrics.csv", "step,epoch,val/loss\n1,1,5\n2,2,4.", "the last line is truncated and left out"),
        ],
    )
    def test_a_file_that_is_not_what_it_should_be(
        self, sweep: Path, name: str, content: str, why: str
    ) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        (write_run(sweep, "odd-1", record(300.0), optimizer__lr=1).path / name).write_text(content)
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        assert [u.reason[: len(why)] for u in data.unreadable] == [why]
        assert data.epochs.loc[data.epochs["run"] == "odd-1", "dev_loss"].isin([7.0, 6.0, 5.0]).all()

    def test_folders_that_are_not_quite_runs(self, home: Path, sweep: Path) -> None:
        odd = write_run(sweep, "odd-1", record(300.0))
        odd.poems.mkdir()
        (sweep / "left").mkdir()
        (sweep / "left" / "metrics.csv").write_text("step\n")
        (home / "empty").mkdir()
        data, _ = report_on([sweep, home / "empty"])
        assert {Path(u.path).name: u.reason for u in data.unreadable} == {
            "poems.txt": "no poems: IsADirectoryError",
            "left": "a run's folder without config.yaml and result.json",
            "empty": "it holds no run",
        }
