"""W&B's own process is killed, cannot write, or never starts: the run goes on, and its history is written anew."""

import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import wandb

from tangsweep.files import REPOSITORY
from tangsweep.runs.wandb_names import wandb_run_id
from tangsweep.training import wandb_mirror
from tangsweep.training.wandb_mirror import WANDB_THREAD, WandbMirror, log_exceptions_of_threads
from tangsweep.training.wandb_offline_file import has_exit_record
from tests.conftest import SMALL, Ran, made
from tests.training import wandb_file
from tests.trouble import kill_wandb, stop_wandb, wandb_processes

Train = Callable[..., Ran]
BASE = (*SMALL, "poems.starts='山'", "poems.quality=false", "trainer.log_every=2", "logger=wandb")


def assert_mirrors_the_files(folder: Path, lost: dict[str, Any], step: int) -> None:
    """One offline file has the whole run, and the log has one line on the failure."""
    assert lost["replayed"] and lost["step"] >= step and lost["error"]
    offline = wandb_file.read(folder)
    rows = pd.read_csv(folder / "metrics.csv")
    for name in ("train/loss", "val/loss", "lr", "train/grad_norm"):
        logged = [json.loads(row[name]) for row in offline.history if name in row]
        assert logged == pytest.approx(rows[name].dropna().tolist()), name
    assert any(row.get("poems/_type") == '"table-file"' for row in offline.history)
    assert offline.summary["status"] == '"done"'
    assert offline.exit_codes == [0]
    log = (folder / "train.log").read_text(encoding="utf-8")
    [line] = [line for line in log.splitlines() if "mirror" in line or "wandb: " in line]
    assert f"WARNING tangsweep.runs.mirror: wandb: lost at step {lost['step']} (" in line
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("log", 4),
        pytest.param("log_table", 20, marks=pytest.mark.slow),
        pytest.param("summarize", 20, marks=pytest.mark.slow),
        ("finish", 20),
    ],
)
def test_its_process_is_killed(
    train: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], method: str, step: int
) -> None:
    """Just before it gets the row of a step, a table, the summary or the end."""
    monkeypatch.setitem(sys.modules, "huggingface_hub.inference", ModuleType("of the demo"))  # noted by W&B
    real, killed = getattr(WandbMirror, method), list[int]()

    def kill_before(self: WandbMirror, *arguments: Any) -> None:
        if not killed and (method != "log" or arguments[0]["step"] == step):
            killed.extend(kill_wandb())
        real(self, *arguments)

    monkeypatch.setattr(WandbMirror, method, kill_before)
    run = train(base=BASE)
    assert len(killed) == 1 and run.result["status"] == "done"
    assert_mirrors_the_files(run.folder.path, run.result["lost_mirrors"]["wandb"], step)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["log", "finish"])
def test_its_process_is_stopped(
    train: Train, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], method: str
) -> None:
    """Without a limit `finish` would wait for ever."""
    real, stopped = getattr(WandbMirror, method), list[int]()

    def stop_before(self: WandbMirror, *arguments: Any) -> None:
        if not stopped:
            stopped.extend(stop_wandb())
            monkeypatch.setattr(wandb_mirror, "GRACE_SECONDS", 0.3)
        try:
            real(self, *arguments)
        except Exception:
            monkeypatch.setattr(wandb_mirror, "GRACE_SECONDS", 60.0)
            raise

    monkeypatch.setattr(WandbMirror, method, stop_before)
    run = train(base=BASE)
    assert len(stopped) == 1 and run.result["status"] == "done"
    assert_mirrors_the_files(run.folder.path, run.result["lost_mirrors"]["wandb"], 0)
    assert stopped[0] not in wandb_processes()
    assert capfd.readouterr().err == ""


def test_at_the_end_of_the_command_a_stopped_one_is_not_waited_for(train: Train) -> None:
    train(base=BASE)
    assert len(stop_wandb()) == 1
    wandb_mirror.end_lost_service()
    assert wandb_processes() == []


def test_a_damaged_id_is_drawn_anew(tmp_path: Path) -> None:
    folder = made(tmp_path / "run")
    drawn, is_new = wandb_run_id(folder)
    assert is_new and wandb_run_id(folder) == (drawn, False)
    (folder.path / "wandb-id.txt").write_bytes(b"ab\xffde\n")
    other, is_new = wandb_run_id(folder)
    assert is_new and len(other) == 8


def test_its_disk_is_full(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's process goes on without a word where it cannot write; here its files may not grow."""
    real, limited = WandbMirror.log, list[int]()

    def limit_before(self: WandbMirror, row: Any) -> None:
        real(self, row)
        monkeypatch.setattr(wandb_mirror, "FLUSH_SECONDS", 10)
        if wandb_processes() == limited or (row["step"] == 4 and not limited):
            limited[:] = wandb_processes()
            resource.prlimit(limited[0], resource.RLIMIT_FSIZE, (2048, 2048))
            monkeypatch.setattr(wandb_mirror, "FLUSH_SECONDS", 0)  # of nothing

    monkeypatch.setattr(WandbMirror, "log", limit_before)
    run = train(base=BASE)
    lost = run.result["lost_mirrors"]["wandb"]
    assert "is cut off, as on a full disk" in lost["error"]
    assert_mirrors_the_files(run.folder.path, lost, 20)
    [cut] = run.folder.path.glob("wandb/superseded/*/*.wandb")
    [whole] = run.folder.path.glob("wandb/offline-run-*/*.wandb")
    assert (has_exit_record(cut), has_exit_record(whole)) == (False, True)


@pytest.mark.parametrize("rows", [1, 1000])
def test_the_end_of_an_offline_file_is_seen_wherever_its_blocks_end(tmp_path: Path, rows: int) -> None:
    """Files of W&B's own, the longer ones of several blocks, and cut at every byte of their last records."""
    folder = made(tmp_path / "run")
    mirror = WandbMirror(folder, {"corpus": {"name": "x"}}, "run", "sweep", "project")
    for step in range(rows):
        mirror.log({"step": step, "epoch": 1, "train/loss": step / 7, "lr": 0.1 * step})
    mirror.finish(failed=False)
    [path] = tmp_path.glob("run/wandb/offline-run-*/*.wandb")
    content = path.read_bytes()
    assert has_exit_record(path)
    for cut in range(1, 300):
        path.write_bytes(content[:-cut])
        assert not has_exit_record(path), cut
    path.write_bytes(b"another format" + content[:-20])
    assert has_exit_record(path)


def test_it_cannot_start(train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wandb.teardown()
    monkeypatch.setenv("WANDB_SERVICE", f"3-1-unix-{tmp_path}/nobody-listens")
    run = train(base=BASE)
    assert run.result["status"] == "done"
    assert_mirrors_the_files(run.folder.path, run.result["lost_mirrors"]["wandb"], 0)
    assert wandb_file.read(run.folder.path).id == run.result["wandb"]["id"]


def test_a_run_after_its_death_has_another_and_loses_nothing(train: Train) -> None:
    train(base=BASE)
    assert len(kill_wandb()) == 1
    run = train("seed=1", base=BASE)
    assert "lost_mirrors" not in run.result
    assert "lost_mirrors" not in run.folder.result.read_text(encoding="utf-8")
    assert wandb_file.read(run.folder.path).exit_codes == [0]


@pytest.mark.slow
@pytest.mark.parametrize("multirun", [False, True])
def test_a_command_whose_wandb_processes_are_killed(home: Path, multirun: bool) -> None:
    """Every run is done, those of the same worker after it too, and nothing is printed at the end."""
    killing = ["optimizer._target_=tests.trouble.KillsWandb"]
    sweep = ["-m", "seed=0,1,2", "hydra.launcher.workers=1"] if multirun else []
    inherited = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}  # its own W&B
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *sweep, "optimizer=sgd", *BASE, *killing],
        env={**inherited, "TANGSWEEP_HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr and "wandb" not in done.stderr
    records = {path.parent: json.loads(path.read_text()) for path in home.glob("outputs/*/*/result.json")}
    assert len(records) == done.stdout.count(" and written anew") == (3 if multirun else 1)
    for folder, record in records.items():
        assert record["status"] == "done"
        assert_mirrors_the_files(
            folder, record["lost_mirrors"]["wandb"], 0
        )  # rows wait, so it is noticed later


def test_what_ends_a_thread_of_wandb_is_logged_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    printed: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: printed.append(failure.thread.name))
    log_exceptions_of_threads()
    log_exceptions_of_threads()
    for name in (WANDB_THREAD, "another"):
        thread = threading.Thread(target=lambda: [][1], name=name)
        thread.start()
        thread.join()
    assert printed == ["another"]
    assert [record.getMessage() for record in caplog.records] == [
        f"W&B's thread {WANDB_THREAD} ended: IndexError('list index out of range')"
    ]
