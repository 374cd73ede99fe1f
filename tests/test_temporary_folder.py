"""Each process has a temporary folder of its own: private, removed at the end, swept after a kill."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tangsweep import fault_points
from tangsweep.files import REPOSITORY

COMMAND = """
import os, signal, stat, tempfile
from pathlib import Path
from tangsweep.command_line import run_command

def main():
    folder = Path(tempfile.mkdtemp()).parent
    print(folder, oct(stat.S_IMODE(folder.stat().st_mode)), len(os.listdir(folder)), flush=True)
    END

run_command(main)
"""
SLOW_SERVER = """
from tangsweep.command_line import run_command
from tangsweep.sweep.worker_process import process_context
run_command(lambda: process_context("waits_for_ever"))
"""


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The system's temporary folder of the processes that the test starts; sockets need short paths."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def command(end: str) -> "subprocess.CompletedProcess[str]":
    code = COMMAND.replace("END", end)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_it_is_private_and_removed_at_the_end_however_the_command_ends(system: Path) -> None:
    for end, status in {"pass": 0, "raise KeyboardInterrupt": 130, "raise ValueError": 1}.items():
        done = command(end)
        assert done.returncode == status, done.stderr
        folder, mode, _ = done.stdout.split()
        assert Path(folder).parent == system
        assert mode == "0o700"
        assert list(system.iterdir()) == []


def test_the_next_command_removes_what_a_killed_one_left_and_nothing_else(system: Path) -> None:
    mine = system / "tangsweep-results"
    mine.mkdir(mode=0o700)
    (mine / "poems.txt").touch()
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND.replace("END", "signal.pause()")], stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            left = Path(running.stdout.readline().split()[0])
            command("pass")
            assert {*system.iterdir()} == {mine, left}  # in use
        finally:
            running.kill()
    assert left.exists()
    command("pass")
    assert list(system.iterdir()) == [mine]
    assert (mine / "poems.txt").exists()


def test_without_one_the_command_goes_on(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = system / ("x" * 80)  # a path that sockets in it could not have
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    done = command("pass")
    assert done.returncode == 0
    assert done.stdout.split()[0] == str(deep)


def test_the_fork_server_ends_with_the_command(system: Path, tmp_path: Path) -> None:
    """Its output is read to the end here, and it holds it open as long as it lives."""
    (tmp_path / "waits_for_ever.py").write_text("import signal\nsignal.pause()\n")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_SERVER],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as running:
        try:
            output, _ = running.communicate(timeout=120)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    assert (running.returncode, output) == (0, b"")
    assert list(system.iterdir()) == []


@pytest.mark.slow
def test_gradio_keeps_poems_in_it(system: Path) -> None:
    pytest.importorskip("gradio")
    done = command("from gradio import utils; print(utils.get_upload_folder())")
    folder, *_, uploads = done.stdout.split()
    assert Path(uploads).parent == Path(folder) and Path(folder).parent == system


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sweep", "fault"), [([], "writing last.ckpt@2"), (["-m", "seed=0,1"], "writing report.md@1")]
)
def test_nothing_is_left_of_a_command(home: Path, system: Path, sweep: list[str], fault: str) -> None:
    """Neither of W&B's tables and sockets nor of multiprocessing, and what a kill leaves goes next time."""
    small = (
        "corpus=sample",
        "data.poems=24",
        "data.batch_size=4",
        "model.hidden_size=8",
        "poems.starts='山'",
    )
    train = [sys.executable, str(REPOSITORY / "src" / "train.py"), *sweep, *small, "trainer.max_epochs=2"]
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)}
    killed = subprocess.run(
        train, env=environment | {fault_points.VARIABLE: fault}, capture_output=True, check=False, cwd=home
    )
    assert killed.returncode == -signal.SIGKILL
    assert [path.name.partition("-")[0] for path in system.iterdir()] == ["tangsweep"]
    assert len(list(home.glob("outputs/*/*/checkpoints/.last.ckpt.*"))) == (0 if sweep else 1)
    done = subprocess.run(train, env=environment, capture_output=True, check=False, cwd=home)
    assert done.returncode == 0, done.stderr
    assert list(system.iterdir()) == list(home.glob("outputs/*/*/checkpoints/.*")) == []
