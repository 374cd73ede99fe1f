"""A lock on a run's folder: only one process trains it. The system releases it when its holder dies."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock

from tangsweep.errors import UserError
from tangsweep.files import atomic_write, cannot_write
from tangsweep.runs.folder import RunFolder

ATTEMPTS = 100  # to lock a folder that is set aside each time


class LockHeld(Exception):
    """Another live process trains the run; the text says which."""


@contextlib.contextmanager
def hold_lock(folder: RunFolder, unlock: bool = False) -> Iterator[None]:
    """Hold the lock of the run in `folder` inside the `with` block; the folder is created if need be.

    With `unlock` no lock is taken. Raises LockHeld where another process holds the lock, and UserError where
    the folder cannot be written or the file system has no locks.
    """
    if unlock:
        _create(folder)
        yield
        return
    lock = _acquire(folder)
    try:
        description = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        atomic_write(folder.holder, json.dumps(description) + "\n")
        yield
    finally:
        lock.release()


def _create(folder: RunFolder) -> None:
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder.path, error) from error


def _acquire(folder: RunFolder) -> filelock.BaseFileLock:
    """Create the folder and lock it. Raises LockHeld and UserError.

    Where the folder was set aside between the opening of its lock file and the locking, the lock guards a
    folder of another name: it is let go, and the new folder's is taken.
    """
    problem: object = "its folder is set aside again and again"
    for _ in range(ATTEMPTS):
        _create(folder)
        lock, opened = _lock(folder), _file_identity(folder.lock)
        try:
            # Not at once: who only looks whether a run trains holds its lock for less than a millisecond.
            lock.acquire(timeout=0.2, poll_interval=0.01)
        except filelock.Timeout:
            raise LockHeld(describe_holder(folder)) from None
        except FileNotFoundError:
            continue
        except (NotImplementedError, OSError) as error:
            problem = error
            break
        if opened is not None and opened == _file_identity(folder.lock):
            return lock
        lock.release()
    raise UserError(
        f"{folder.lock} cannot be locked ({problem}): make sure that no other process trains this run, "
        "then give unlock=true"
    )


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def is_held(folder: RunFolder) -> bool:
    """Return whether a live process trains the run in `folder`, without writing anything."""
    if not folder.lock.exists():
        return False
    probe = _lock(folder)
    try:
        probe.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except (NotImplementedError, OSError):
        return False
    probe.release()
    return False


def describe_holder(folder: RunFolder) -> str:
    """Describe the process that took the lock last; for messages only."""
    try:
        description = _read_holder(folder)
        return f"process {description['pid']} on {description['host']} since {description['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def holding_host(folder: RunFolder) -> str:
    """Return the machine of the process that took the lock last; an empty string where it is not known."""
    try:
        return str(_read_holder(folder)["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _read_holder(folder: RunFolder) -> Mapping[str, object]:
    holder: Mapping[str, object] = json.loads(folder.holder.read_text(encoding="utf-8"))
    return holder


def _lock(folder: RunFolder) -> filelock.BaseFileLock:
    return filelock.FileLock(folder.lock, fallback_to_soft=False)
