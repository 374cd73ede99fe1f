"""Folders of sweeps become tables; what cannot be read is listed and hides nothing."""

from pathlib import Path

from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on
from tests.reporting.written_sweeps import cells, find_block, record, write_optimizer_runs, write_run


def test_what_cannot_be_read_is_named_and_hides_nothing(sweep: Path) -> None:
    write_optimizer_runs(
        sweep, {"sgd": [500.0], "adam": [400.0], "rmsprop": [300.0], "adagrad": [310.0], "adamw": [320.0]}
    )
    paths = {path.name.split("_")[0].removeprefix("optimizer-"): path for path in sweep.iterdir()}
    (paths["adam"] / "result.json").write_text('{"status": "done", "pri')
    (paths["rmsprop"] / "result.json").write_text('{"accuracy": 3}')
    with (paths["adagrad"] / "metrics.csv").open("a") as file:
        file.write("40,4,,3.")
    (paths["adamw"] / "metrics.csv").write_bytes(b"\xff\xfe\x00nonsense")
    (paths["sgd"] / "config.yaml").write_text("{unclosed: [")
    (sweep / "commands.jsonl").write_text("not json\n")
    (sweep / "notes").mkdir()
    data, report = report_on([sweep])
    assert len(data.runs) == 5
    assert {Path(u.path).name.split(",")[0]: u.reason for u in data.unreadable if "result" in u.path} != {}
    why = {Path(u.path.split(", line")[0]).relative_to(sweep).as_posix(): u.reason for u in data.unreadable}
    assert why[f"{paths['adam'].name}/result.json"] == "no JSON: JSONDecodeError"
    assert why[f"{paths['rmsprop'].name}/result.json"] == "no record of this project"
    assert why[f"{paths['adagrad'].name}/metrics.csv"] == "the last line is truncated and left out"
    assert why[f"{paths['adamw'].name}/metrics.csv"].startswith("no metrics")
    assert why[f"{paths['sgd'].name}/config.yaml"].startswith("no config")
    assert why["commands.jsonl"] == "no JSON"
    assert len(find_block(report, "Unreadable files", Table).rows) == 6
    assert any("6 files could not be read" in warning for warning in report.warnings)


def test_several_folders_make_one_report(home: Path) -> None:
    for name, score in (("one", 400.0), ("two", 390.0)):
        write_run(home / name, "same-1", record(score, overrides=[f"optimizer={name}"]), optimizer__lr=score)
    data, report = report_on([home / "one", home / "two"])
    assert report.title == "one and two"
    assert data.runs["run"].tolist() == ["one/same-1", "two/same-1"]
    assert cells(find_block(report, "Ranking", Table), "group") == ["two", "one"]
    for name, score in (("a/s", 400.0), ("b/s", 390.0)):
        write_run(home / name, "same-1", record(score, overrides=[f"optimizer={name}"]), optimizer__lr=score)
    alike, _ = report_on([home / "a" / "s", home / "b" / "s", home / "a" / "s"])
    assert alike.runs["run"].tolist() == ["a/s/same-1", "b/s/same-1"]
