"""Files that are cut off, foreign or of another shape: named in the report, and no crash."""

import math
import os
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
        {"dev": {"perplexity": -300.0, "loss": 5.0}}, {"dev": {"loss": 1e300}}, {"dev": {"accuracy": 7.0}},
        {"corpus": {"name": "tang", "characters": {"train": 10**30, "dev": -1}}}, {"baselines": {"unigram": 0}},
        {"primary": {"metric": "glory"}}, {"best_epoch": 2**80}, {"seed": 2**80}, {"seconds": -5.0},
    )  # fmt: skip

    def test_values_of_the_wrong_type_are_left_out(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        for number, changes in enumerate(self.WRONG):
            write_run(sweep, f"odd-{number}", record(300.0) | changes, optimizer__lr=number)
        write_run(sweep, "lone-surrogate", record(300.0) | {"overrides": ["optimizer=\ud800"]}, data__poems=7)
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        assert len(data.runs) == len(self.WRONG) + 2
        records = [u for u in data.unreadable if u.path.endswith("result.json")]
        left_out = [Path(u.path).parent.name for u in records if "of the wrong type or range" in u.reason]
        assert sorted(left_out) == sorted(f"odd-{number}" for number in range(len(self.WRONG)))

    FILES = (
        ("result.json", '{"status": [], "primary": {}}', "no record of this project"),
        ("result.json", "[" * 100_000, "no JSON: RecursionError"),
        ("config.yaml", "a: 2020-99-99", "no config: ValueError"),
        ("config.yaml", "a: &x [*x]\nb: &y {c: *y}", "no config: ValueError"),
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
        ("metrics.csv", "step,epo\n1,1,5\n", "no metrics: the header is damaged"),
        ("metrics.csv", "step,epoch,val/loss,val/loss2\n1,1,5,5\n", "no metrics: the header is damaged"),
        (
            "metrics.csv",
            b"step,epoch,val/loss\n1,1,5\n2,\xff,5\n3,3,\x004\n4,4,5,9\n5,5,x\n6,6\n-7,7,5\n8,8.5,5\n",
            "7 lines are no valid rows and left out",
        ),
        ("metrics.csv", f"step,epoch,val/loss\n1,1,5\n{'9' * 400},2,5\n", "1 lines are no valid rows"),
        ("result.json", b'{"status": "done", "pri\xff', "no JSON: UnicodeDecodeError"),
        (
            "result.json",
            '{"status": "done", "primary": {"metric": "glory"}}',
            "fields of the wrong type or range",
        ),
        (
            "config.yaml",
            "seed: [1]\ncorpus: {name: 5, length: true, primary: {metric: {a: 1}}}",
            "keys of the wrong type, left out: seed, corpus.name, corpus.length",
        ),
        ("config.yaml", b"seed: \xff", "no config: UnicodeDecodeError"),
    )

    def test_files_that_are_not_what_they_should_be(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        for number, (name, content, _) in enumerate(self.FILES):
            odd = write_run(sweep, f"odd-{number}", record(300.0), optimizer__lr=number)
            (odd.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        data, report = report_on([sweep])
        write_report(report, sweep, pictures=False)
        reasons = {Path(u.path).parent.name: u.reason for u in data.unreadable}
        assert len(reasons) == len(data.unreadable) == len(self.FILES)
        for number, (_, _, why) in enumerate(self.FILES):
            assert reasons[f"odd-{number}"].startswith(why)
            assert (
                data.epochs.loc[data.epochs["run"] == f"odd-{number}", "dev_loss"].isin([7.0, 6.0, 5.0]).all()
            )

    def test_an_altered_config_of_a_run_without_a_record(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0, overrides=["optimizer=good"]))
        for number, value in enumerate(
            ("[1]", "{a: 1}", "x", "2020-01-01", ".nan", "0x" + "f" * 5000, "!!binary AAAA")
        ):
            odd = write_run(sweep, f"odd-{number}", None)
            key = "{seed: VALUE, corpus: {name: VALUE, length: VALUE, primary: {metric: VALUE, mode: VALUE}}}"
            odd.config.write_text(key.replace("VALUE", value) + "\n")
        data, report = report_on([sweep])
        assert len(data.runs) == 8
        assert [g.name for r in report.rankings for g in r.groups if g.score] == ["default"]

    def test_a_pipe_is_not_read(self, sweep: Path) -> None:
        write_run(sweep, "good-1", record(400.0))
        odd = write_run(sweep, "odd-1", record(300.0), optimizer__lr=2)
        for path in (odd.metrics, odd.config, odd.result):
            path.unlink()
            os.mkfifo(path)
        data, _ = report_on([sweep])
        assert sorted(Path(u.path).name for u in data.unreadable) == [
            "config.yaml",
            "metrics.csv",
            "result.json",
        ]

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
