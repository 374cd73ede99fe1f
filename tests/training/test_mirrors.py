"""TensorBoard's mirror, several mirrors at once, and mirrors that fail."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tangsweep.errors import UserError
from tangsweep.runs import mirror
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.mirror import Mirrors, TextTable
from tangsweep.runs.record import Record
from tangsweep.training.callbacks import Checkpoints
from tangsweep.training.mirror_settings import check_mirror, mirror_settings
from tangsweep.training.tensorboard_mirror import TensorboardMirror
from tests.conftest import QUIET, SMALL, Ran, parsed
from tests.training import wandb_file

Train = Callable[..., Ran]
BASE = (*SMALL, "poems.starts='山'", "poems.quality=false", "trainer.log_every=2")


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    return accumulator


def assert_equals_metrics_file(run: Ran) -> None:
    rows, accumulator = pd.read_csv(run.folder.metrics), events(run.folder.path)
    for name in set(rows.columns) - {"step"}:
        by_step = rows[["step", name]].dropna()
        scalars = accumulator.Scalars(name)
        assert [event.step for event in scalars] == by_step["step"].tolist(), name
        assert [event.value for event in scalars] == pytest.approx(by_step[name].tolist(), rel=1e-6), name


def test_tensorboard_holds_what_the_files_hold(train: Train) -> None:
    run = train("logger=tensorboard", base=BASE)
    assert run.result["status"] == "done"
    assert run.result["wandb"] is None
    assert_equals_metrics_file(run)
    accumulator = events(run.folder.path)
    assert {"config/text_summary", "poems/text_summary"} <= set(accumulator.Tags()["tensors"])
    assert accumulator.Scalars("best/dev_perplexity")[0].value == pytest.approx(
        run.result["dev"]["perplexity"], rel=1e-6
    )


def test_a_continued_run_has_one_history(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = Checkpoints.on_evaluation_end

    def interrupt(self: Checkpoints, trainer: Any, evaluation: Any) -> None:
        evaluated(self, trainer, evaluation)
        if evaluation.epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "on_evaluation_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train("logger=tensorboard", base=BASE)
    monkeypatch.setattr(Checkpoints, "on_evaluation_end", evaluated)
    run = train("logger=tensorboard", base=BASE)
    assert len(list((run.folder.path / "tensorboard" / "superseded").iterdir())) == 1
    assert_equals_metrics_file(run)


def test_several_at_once(train: Train) -> None:
    run = train("logger=wandb", "logger.also=[tensorboard]", base=BASE)
    assert_equals_metrics_file(run)
    offline = wandb_file.read(run.folder.path)
    assert offline.id == run.result["wandb"]["id"]
    assert offline.summary["status"] == '"done"'


def test_the_identity_does_not_depend_on_mirrors(train: Train) -> None:
    one, other = train("logger=tensorboard", base=BASE), train(base=(*SMALL, *QUIET, "trainer.log_every=2"))
    assert one.result["config_hash"] == other.result["config_hash"]


@pytest.mark.parametrize("method", ["__init__", "replay", "log", "log_table", "summarize", "finish"])
def test_a_mirror_that_fails_costs_no_run(method: str, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(TensorboardMirror, method, fail)
    run = train("logger=tensorboard", "trainer.max_epochs=1", base=BASE)
    assert run.result["status"] == "done"
    lost = run.result["lost_mirrors"]["tensorboard"]
    assert lost["error"] == "OSError('no space left on device')"
    assert lost["replayed"] is (method == "replay")  # for others the second one fails alike
    log = run.folder.log.read_text(encoding="utf-8")
    assert log.count("tensorboard: lost at step ") == log.count("the run goes on without it") == 1
    assert log.count("its history could not be written anew") == (0 if lost["replayed"] else 1)


def test_a_mirror_that_failed_is_called_no_more_and_another_gets_everything(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = TensorboardMirror.log, []

    def fail_once(self: TensorboardMirror, row: MetricsRow) -> None:
        calls.append(self)
        if row["step"] == 4 and set(calls) == {self}:
            raise OSError("no space left on device")
        real(self, row)

    monkeypatch.setattr(TensorboardMirror, "log", fail_once)
    run = train("logger=tensorboard", base=BASE)
    assert run.result["lost_mirrors"]["tensorboard"] == {
        "step": 4, "error": "OSError('no space left on device')", "replayed": True,
    }  # fmt: skip
    first, second = dict.fromkeys(calls)
    assert calls == [first] * calls.count(first) + [second] * len(pd.read_csv(run.folder.metrics))
    assert_equals_metrics_file(run)
    assert {"poems/text_summary"} <= set(events(run.folder.path).Tags()["tensors"])


class TestSettings:
    def settings(self, *overrides: str) -> list[dict[str, Any]]:
        return mirror_settings(parsed(*SMALL, *overrides))

    def test_each_mirror_once(self) -> None:
        assert self.settings("logger=csv") == []
        names = [
            s["_target_"].rpartition(".")[2] for s in self.settings("logger.also=[tensorboard,wandb,csv]")
        ]
        assert names == ["WandbMirror", "TensorboardMirror"]

    def test_an_unknown_name(self) -> None:
        with pytest.raises(
            UserError, match=r"logger\.also=tensorbord does not exist; did you mean tensorboard"
        ):
            self.settings("logger.also=[tensorbord]")

    def test_tensorboard_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tangsweep.training.mirror_settings.find_spec", lambda name: None)
        [settings] = self.settings("logger=tensorboard")
        with pytest.raises(UserError, match="logger=tensorboard needs TensorBoard: pip install"):
            check_mirror(settings)


class RememberingMirror:
    identity = None

    def __init__(self) -> None:
        self.got: list[Any] = []

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        self.got += [row["step"] for row in rows]

    def log(self, row: MetricsRow) -> None:
        self.got.append(row["step"])

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        self.got.append(table.name)

    def summarize(self, record: Record) -> None:
        self.got.append("summary")

    def finish(self, failed: bool) -> None:
        self.got.append("end")

    def abandon(self) -> None: ...


def test_rows_that_wait_come_before_what_is_logged_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "SECONDS_BETWEEN_ROWS", 1e9)
    one = RememberingMirror()
    mirrors = Mirrors({"one": lambda again: one}, list)
    mirrors.replay([{"step": 1}])
    for step in (2, 3):
        mirrors.log({"step": step})
    assert one.got == [1]
    mirrors.log_table(TextTable("poems", ["poem"], []), 3)
    mirrors.log({"step": 4})
    mirrors.summarize(Record(schema=2, status="done"))
    mirrors.log({"step": 5})
    mirrors.finish(failed=False)
    assert one.got == [1, 2, 3, "poems", 4, "summary", 5, "end"]
    monkeypatch.setattr(mirror, "SECONDS_BETWEEN_ROWS", 0.0)
    mirrors.log({"step": 6})
    assert one.got[-1] == 6
