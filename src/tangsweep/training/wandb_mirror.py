"""Mirrors a run to W&B: one W&B run a run, with what the files in the run's folder hold."""

import atexit
import contextlib
import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import wandb
from wandb.sdk import wandb_setup

from tangsweep import temporary_folder
from tangsweep.fault_points import fault_point
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsRow
from tangsweep.runs.mirror import TextTable
from tangsweep.runs.record import Record, WandbRun
from tangsweep.runs.wandb_names import (
    set_aside_offline_runs,
    wandb_history,
    wandb_run_id,
    wandb_summary,
)
from tangsweep.training.mirror_settings import wandb_mode
from tangsweep.training.wandb_offline_file import has_exit_record

log = logging.getLogger(__name__)

WANDB_THREAD = "NetStatThr"  # its name; of an online run
MAX_TAG_LENGTH = 64  # characters that W&B allows
GRACE_SECONDS = 60.0  # for a call; a process of W&B's that is stopped, as by SIGSTOP, would never answer it
FLUSH_SECONDS = 10  # after W&B has said that a run is finished, until its offline file is written to its end


class WandbMirror:
    """A W&B run that takes metrics, scores and texts; a `Mirror` (runs/mirror.py).

    W&B does its work in a process of its own, which all runs of this process share. Where that does not
    answer, it is killed after GRACE_SECONDS, and the call raises. With `again`, it gets a new one and writes
    an offline file.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Mapping[str, Any],
        name: str,
        group: str,
        project: str,
        entity: str | None = None,
        mode: str | None = None,
        again: bool = False,
    ) -> None:
        self._mode = "offline" if again and wandb_mode(mode) == "online" else wandb_mode(mode)
        if again or is_service_dead():
            end_service()
        log_exceptions_of_threads()
        if self._mode == "offline":
            set_aside_offline_runs(folder)
        run_id, self._is_new = wandb_run_id(folder)
        os.environ.setdefault("WANDB_SILENT", "true")  # of failures it would print a second line
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")  # it would print advice where Gradio is imported
        with temporary_folder.inherited_by_children(), self._answered():
            self.run = wandb.init(
                project=project,
                entity=entity,
                mode=self._mode,  # type: ignore[arg-type]
                id=run_id,
                name=name,
                group=group,
                config=dict(config),
                dir=str(folder.path),
                tags=[f"corpus:{config['corpus']['name']}"[:MAX_TAG_LENGTH]],
                reinit="create_new",
                resume="allow" if self._mode == "online" else None,
                settings=_settings(),
            )
        atexit.unregister(end_lost_service)
        atexit.register(end_lost_service)  # after W&B's own hook, and so called before it

    def _answered(self) -> contextlib.AbstractContextManager[None]:
        """Limit the time of a call; online it may take any time to send, unless W&B's process is stopped."""
        return service_watch().limit(only_stopped=self._mode == "online")

    def replay(self, rows: Sequence[MetricsRow]) -> None:
        """Log the rows of earlier attempts: an offline run cannot be resumed, and a new one online lacks
        them.
        """
        if self.run.offline or self._is_new:
            for row in rows:
                self.log(row)

    def log(self, row: MetricsRow) -> None:
        """Log a row of metrics.csv at its step."""
        step = row["step"]
        with self._answered():
            self.run.log(wandb_history(row), step=None if step is None else int(step))

    def log_table(self, table: TextTable, step: int | None = None) -> None:
        """Log a table at the optimizer step `step`; None: after all that was logged."""
        columns: list[Any] = list(table.columns)
        rows: list[Any] = [list(row) for row in table.rows]
        with self._answered():
            self.run.log({table.name: wandb.Table(columns=columns, data=rows)}, step=step)

    def summarize(self, record: Record) -> None:
        """Write the scores at the best epoch into the run's summary."""
        with self._answered():
            self.run.summary.update(wandb_summary(record))

    def finish(self, failed: bool) -> None:
        """Finish, exactly once, however the run ended.

        Raises OSError where the offline file is not written to its end: of a full disk W&B says nothing.
        """
        fault_point("finishing W&B")
        file = Path(self.run.settings.sync_file)
        with self._answered():
            self.run.finish(exit_code=1 if failed else 0)
        deadline = time.monotonic() + FLUSH_SECONDS
        while self._mode == "offline" and not has_exit_record(file):
            if time.monotonic() > deadline:
                raise OSError(f"{file.name} is cut off, as on a full disk")
            time.sleep(0.005)
        fault_point("finished W&B")

    def abandon(self) -> None:
        """Do nothing: where W&B's process has died nothing waits, and no call to it is safe."""

    @property
    def identity(self) -> WandbRun:
        return WandbRun(id=self.run.id, path=self.run.path)


def _settings() -> wandb.Settings:
    return wandb.Settings(
        console="off",
        silent=True,
        x_disable_stats=True,
        x_save_requirements=False,  # a third of its start; the record holds the versions that matter
        disable_git=True,
        save_code=False,
    )


def log_exceptions_of_threads() -> None:
    """Log what ends W&B's thread, as where its process was killed, and print no traceback."""
    previous = threading.excepthook
    if not (isinstance(previous, partial) and previous.func is _log_exception):
        threading.excepthook = partial(_log_exception, previous)


def _log_exception(
    handle_others: Callable[[threading.ExceptHookArgs], object], failure: threading.ExceptHookArgs
) -> None:
    if failure.thread is not None and failure.thread.name == WANDB_THREAD:
        log.warning("W&B's thread %s ended: %r", WANDB_THREAD, failure.exc_value)
    else:
        handle_others(failure)


def is_service_dead() -> bool:
    """Return whether W&B's own process, which this one started, has ended."""
    process = _service_process()
    return process is not None and process.poll() is not None


def end_service() -> None:
    """End W&B's own process, or forget one that was killed: the next run starts another."""
    process = _service_process()
    with contextlib.suppress(Exception, SystemExit), service_watch().limit():
        wandb.teardown()  # raises where it cannot be reached, or ended with an error
    os.environ.pop("WANDB_SERVICE", None)  # where it can be reached, also for processes started from here
    if process is not None:
        process.kill()  # one that still runs cannot be reached
        process.wait()


def end_lost_service() -> None:
    """At the end of this process: W&B would print a traceback or wait for ever where its own was lost."""
    process = _service_process()
    if process is not None and (process.poll() is not None or _is_stopped(process.pid)):
        process.kill()
        end_service()


class ServiceWatch(threading.Thread):
    """Kills W&B's own process where a call to it takes longer than GRACE_SECONDS; the call then raises."""

    def __init__(self) -> None:
        super().__init__(name="W&B watch", daemon=True)
        self._deadline, self._only_stopped = math.inf, False

    @contextlib.contextmanager
    def limit(self, only_stopped: bool = False) -> Iterator[None]:
        """Limit the calls inside the `with` block; `only_stopped`: only where its process is stopped."""
        self._only_stopped, self._deadline = only_stopped, time.monotonic() + GRACE_SECONDS
        try:
            yield
        finally:
            self._deadline = math.inf

    def run(self) -> None:
        while True:
            time.sleep(min(1.0, GRACE_SECONDS))
            process = _service_process() if time.monotonic() > self._deadline else None
            if process is not None and (not self._only_stopped or _is_stopped(process.pid)):
                process.kill()


_watch = ServiceWatch()


def service_watch() -> ServiceWatch:
    """Return the watch of this process, which a fork does not inherit."""
    global _watch
    if not _watch.is_alive():
        _watch = ServiceWatch()
        _watch.start()
    return _watch


def _is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, as by SIGSTOP; False where the system has no /proc to say so."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def _service_process() -> "subprocess.Popen[bytes] | None":
    """Return W&B's own process, which it does not publish; None where there is none, or it lies elsewhere."""
    connection = getattr(getattr(wandb_setup, "_singleton", None), "_connection", None)
    process = getattr(getattr(connection, "_proc", None), "_process", None)
    return process if isinstance(process, subprocess.Popen) else None
