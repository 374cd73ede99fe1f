"""Files that are cut off, foreign or of another shape: named in the report, and no crash."""

import math
from pathlib import Path

from tangsweep.reporting.build import report_on, write_report
from tests.reporting.written_sweeps import record, write_run


class TestBadInput:
    """What no run of this project writes, each beside a run that is as it should be."""

    WRONG = (
        {"seed": "abc"}, {"seed": 1.5}, {"overrides": 5}, {"git": {"commit": 5, "dirty": "yes"}}, {"finished": 5},
        {"published": {"a": {"ours": "x", "published": [1]}}}, {"published": 3}, {"seconds": math.inf},
        {"machine": {}}, {"corpus": {"name": "tang", "length": "x", "characters": {"train": "x"}}},
        {"corpus": "tang"}, {"dev": {"perplexity": "x", "loss": 5.0}}, {"dev": 3}, {"best_epoch": [1]}, {"quality": []},
        {"solved_step": True}, {"baselines": {"unigram": "x"}}, {"test": {"known_nats": "x"}},
    )  # fmt: skip

    def test_values_of_the_wrong_type_are_left_out(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        for number, changes in enumerate(self.WRONG):
            write_run(sweep, f"odd-{number}", record(300.0) | changes, optimizer__lr=number)
        write_run(sweep, "lone-surrogate", record(300.0) | {"overrides": ["optimizer=\ud800"]}, data__poems=7)
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        assert len(data.runs) == len(self.WRONG) + 2
        left_out = [Path(u.path).parent.name for u in data.unreadable if "of the wrong type" in u.reason]
        assert sorted(left_out) == sorted(f"odd-{number}" for number in range(len(self.WRONG)))

    FILES = (
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
    )

    def test_files_that_are_not_what_they_should_be(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        for number, (name, content, _) in enumerate(self.FILES):
            odd = write_run(sweep, f"odd-{number}", record(300.0), optimizer__lr=number)
            (odd.path / name).write_text(content)
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        reasons = {Path(u.path).parent.name: u.reason for u in data.unreadable}
        assert len(reasons) == len(data.unreadable) == len(self.FILES)
        for number, (_, _, why) in enumerate(self.FILES):
            assert reasons[f"odd-{number}"].startswith(why)
            assert (
                data.epochs.loc[data.epochs["run"] == f"odd-{number}", "dev_loss"].isin([7.0, 6.0, 5.0]).all()
            )

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
