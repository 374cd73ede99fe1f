"""A worker process as its parent sees it, and the fork server that all workers are forked from."""

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from types import ModuleType

from tangsweep import temporary_folder
from tangsweep.sweep.worker import run_worker

PRELOAD = "tangsweep.sweep.preload"  # what the pool's workers are forked with
ProcessContext = ForkServerContext | SpawnContext


def process_context(preload: str | None) -> ProcessContext:
    """Return multiprocessing's `forkserver` context, whose server imports the module `preload`.

    The server starts to import at once, in parallel to what this process does next. Where the system has
    no fork server, the `spawn` context is returned.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload] if preload else [])
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # first, because it would unblock Ctrl-C
    with starting_processes(), inherited_import_path():
        forkserver.ensure_running()
    atexit.unregister(_end_fork_server)
    atexit.register(_end_fork_server, os.getpid())
    return context


@contextlib.contextmanager
def inherited_import_path() -> Iterator[None]:
    """Let Python that is started inside the block import from where this process does.

    Neither multiprocessing's fork server nor submitit's jobs get this process's `sys.path`: in a checkout
    that is not the installed one, they would run the code of the installed one.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _end_fork_server(parent: int) -> None:
    """Kill the fork server when the command ends: otherwise it imports for seconds what nobody needs now.

    What it leaves lies in the command's temporary folder.
    """
    from multiprocessing import forkserver

    server = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if server is None or os.getpid() != parent or not temporary_folder.own_temporary_folder():
        return
    with contextlib.suppress(OSError):
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


@contextlib.contextmanager
def starting_processes() -> Iterator[None]:
    """Prepare for processes that are started inside the block.

    Ctrl-C, which a terminal sends to every process, is blocked in them. They do not import this process's
    main module again, as multiprocessing would: a user's script need not be guarded against that. Their
    temporary files lie in this process's own folder.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        with temporary_folder.inherited_by_children():
            yield
    finally:
        sys.modules["__main__"] = main_module
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Worker:
    """One worker process and the job that it runs."""

    def __init__(self, context: ProcessContext, setup: bytes) -> None:
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(target=run_worker, args=(child_pipe, setup), daemon=True)
        with starting_processes():
            self.process.start()
        child_pipe.close()
        self.job: int | None = None

    def start_job(self, job: int, config: bytes) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # it died while idle; reading its pipe will say so
            self.pipe.send(config)

    def reason_of_death(self) -> str:
        """Describe how a dead process ended."""
        self.process.join()
        code = self.process.exitcode
        if code is not None and code < 0:
            hint = " (what the system does when memory runs out)" if code == -signal.SIGKILL else ""
            return f"its worker was ended by {signal.Signals(-code).name}{hint}"
        return f"its worker exited with status {code}"
