"""A lock on a run, so that one process trains it; the operating system releases it when its holder dies."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator

import filelock

from tangsweep.errors import UserError
from tangsweep.files import atomic_write, cannot_write
from tangsweep.runs.folder import RunFolder


class LockHeld(Exception):
    """Raised where another live process trains the run; the text says which."""


@contextlib.contextmanager
def hold_lock(folder: RunFolder, unlock: bool = False) -> Iterator[None]:
    """Hold the lock of the run in `folder` inside the block; the folder is made where it does not exist.

    Raises Held where another process holds the lock, UserError where the folder cannot be written or
    the file system knows no locks. With `unlock` no lock is taken.
    """
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder.path, error) from error
    if unlock:
        yield
        return
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LockHeld(holder(folder)) from None
    except (NotImplementedError, OSError) as error:
        raise UserError(
            f"{folder.lock} cannot be locked ({error}): make sure that no other process trains this run, "
            "then give unlock=true"
        ) from error
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


def is_held(folder: RunFolder) -> bool:
    """Return whether a live process trains the run in `folder`; nothing is written."""
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


def holder(folder: RunFolder) -> str:
    """Describe who held the lock last, for messages only."""
    try:
        description = json.loads(folder.holder.read_text(encoding="utf-8"))
        return f"process {description['pid']} on {description['host']} since {description['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _lock(folder: RunFolder) -> filelock.BaseFileLock:
    return filelock.FileLock(folder.lock, fallback_to_soft=False)
