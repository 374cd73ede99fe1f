"""This process's own folder for temporary files: nobody else can read it, and nothing of it stays behind.

W&B, Gradio and multiprocessing write into the system's temporary folder, where others may read, and leave
files there: W&B even when it ends normally, all of them when they are killed.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from multiprocessing import util
from pathlib import Path

PREFIX = "tangsweep-"
LOCK = "in-use.lock"  # its holder is the process whose folder it is; the system releases it when that dies
# The path of a socket has at most 103 bytes on macOS; below this, multiprocessing and W&B add up to 40.
MAX_BYTES = 63


@functools.cache
def own_temporary_folder() -> Path | None:
    """Return a folder of mode 0700 that is removed when this process exits; None where none can be had.

    The first call makes it, and removes those that this user's killed processes have left.
    """
    try:
        system = Path(tempfile.gettempdir())
        _remove_abandoned_folders(system)
        if len(os.fsencode(system)) + len(f"/{PREFIX}12345678") > MAX_BYTES:
            return None
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        _lock(folder)
    except OSError:  # no folder that can be written, a full disk, a file system without locks
        return None
    # Last of all, after multiprocessing has removed its folder in it, whose priority is -100.
    util.Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=-200)
    return folder


def use_own_temporary_folder() -> None:
    """Let Python's `tempfile` make its files there. The environment of other programs stays as it is."""
    if folder := own_temporary_folder():
        tempfile.tempdir = str(folder)


def temporary_environment() -> dict[str, str]:
    """Return the environment variable that lets a process write its temporary files there."""
    folder = own_temporary_folder()
    return {"TMPDIR": str(folder)} if folder else {}


@contextlib.contextmanager
def inherited_by_children() -> Iterator[None]:
    """Let processes that are started inside the `with` block write their temporary files there."""
    before = os.environ.get("TMPDIR")
    os.environ.update(temporary_environment())
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = before


def _lock(folder: Path) -> None:
    """Lock the folder as long as this process lives. The lock has its name only when it is held."""
    unnamed = folder / "new.lock"
    descriptor = os.open(unnamed, os.O_CREAT | os.O_WRONLY, 0o600)  # never closed
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, socket.gethostname().encode())
    unnamed.rename(folder / LOCK)


def _remove_abandoned_folders(system: Path) -> None:
    """Remove this user's folders whose processes are dead; those of other machines are left alone."""
    for folder in system.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # no such lock, one that is held, or another sweep was faster
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            with (folder / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if lock.read() == socket.gethostname().encode():
                    shutil.rmtree(folder, ignore_errors=True)
