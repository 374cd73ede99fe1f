"""Locks between real processes; the kernel releases that of a dead one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import State, run_state

HOLD = """
import sys
from pathlib import Path
from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
with lock.hold_lock(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [True, False])
def test_a_lock_of_another_process(tmp_path: Path, killed: bool) -> None:
    folder = RunFolder(tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY / "src",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert lock.is_held(folder)
        assert run_state(folder) is State.RUNNING
        with (
            pytest.raises(lock.LockHeld, match=f"process {process.pid} on .* since 20"),
            lock.hold_lock(folder),
        ):
            pass
        process.kill() if killed else process.communicate(b"")
        process.wait()
        assert not lock.is_held(folder)
        with lock.hold_lock(folder):
            assert run_state(folder) is State.RUNNING
    assert run_state(folder) is State.MISSING


def test_reading_a_state_creates_no_file(tmp_path: Path) -> None:
    assert run_state(RunFolder(tmp_path / "none")) is State.MISSING
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "run")

    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("no locks here")

    monkeypatch.setattr(lock.filelock.UnixFileLock, "_acquire", refuse)
    with (
        pytest.raises(UserError, match=r"cannot be locked \(no locks here\).*unlock=true"),
        lock.hold_lock(folder),
    ):
        pass
    with lock.hold_lock(folder, unlock=True):
        assert run_state(folder) is State.MISSING


def test_a_lock_that_was_set_aside_while_it_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process renames the folder, and the lock file with it, when this one has opened that file."""
    folder, renamed = RunFolder(tmp_path / "run"), []
    folder.prepare()
    folder.config.write_text("old")
    folder.lock.write_text("")
    acquire = lock.filelock.UnixFileLock._acquire

    def acquire_too_late(self: lock.filelock.UnixFileLock) -> None:
        acquire(self)
        if not renamed:
            renamed.append(folder.path.rename(tmp_path / "run.replaced-1"))

    monkeypatch.setattr(lock.filelock.UnixFileLock, "_acquire", acquire_too_late)
    with lock.hold_lock(folder):
        assert lock.is_held(folder)
        assert not lock.is_held(RunFolder(renamed[0]))
        assert {path.name for path in folder.path.iterdir()} == {".lock", ".lock.json"}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"), lock.hold_lock(RunFolder(tmp_path / "file" / "run")):
        pass
