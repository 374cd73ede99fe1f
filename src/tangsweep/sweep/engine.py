"""What an engine such as Slurm or Ray, which trains jobs on other machines, is given, and what it tells."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cloudpickle

from tangsweep import console
from tangsweep.files import home_folder
from tangsweep.sweep.worker import JobExited, JobReturned, WorkerSetup, run_packed_job, unpack_setup

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

PASSED_ON = ("TANGSWEEP_", "WANDB_")  # beginnings of environment variables that a job has from the command
QUEUED_AGAIN = -1  # the status with which submitit ends a job that it has queued again


class RemoteReturn(NamedTuple):
    """What a job sends back when it has ended by itself."""

    message: JobReturned | JobExited
    lines: list[console.LineMessage]  # what it printed


class RemoteJob:
    """A job of a sweep that an engine calls in a process on a machine of its choice."""

    def __init__(self, setup: bytes, config: bytes) -> None:
        self._setup, self._config = setup, config

    def __call__(self) -> RemoteReturn:
        """Run the job. Raises KeyboardInterrupt at SIGINT, and SystemExit where submitit ends it."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        lines: list[console.LineMessage] = []

        def collect(message: console.ConsoleMessage) -> None:
            if isinstance(message, console.LineMessage):
                lines.append(message)

        console.relay_to_parent(collect)
        message = run_packed_job(self._config, unpack_setup(self._setup))
        if isinstance(message, JobExited) and message.code == QUEUED_AGAIN:
            raise SystemExit(QUEUED_AGAIN)
        return RemoteReturn(message, lines)

    def checkpoint(self) -> "DelayedSubmission":
        """Return what submitit queues when the job's time runs out: the same job, whose run goes on."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def pack_setup(setup: WorkerSetup) -> bytes:
    """Pickle what all jobs share. They work in this command's folder for outputs and data."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    environment = passed | {"TANGSWEEP_HOME": str(home_folder())}
    packed: bytes = cloudpickle.dumps(setup._replace(environment=environment))
    return packed


class Stage(StrEnum):
    """How far an engine is with a job."""

    QUEUED = "queued"
    RUNNING = "running"
    STARTED = "queued or running"  # the engine cannot say which
    ENDED = "ended"


class JobReport(NamedTuple):
    """What an engine tells of a job."""

    stage: Stage
    node: str = ""  # the machine it runs on
    returned: RemoteReturn | None = None  # of one that ended by itself
    problem: str = ""  # why one ended without a result


class Engine(Protocol):
    """Runs jobs on other machines. A job is known by the name that the engine gives it."""

    name: str  # for messages

    def submit(self, jobs: Sequence[RemoteJob]) -> list[str]: ...
    def wait(self, names: Sequence[str], seconds: float) -> None: ...  # until one may have ended
    def look(self, names: Sequence[str]) -> Mapping[str, JobReport]: ...
    def interrupt(self, names: Sequence[str]) -> None: ...  # with SIGINT; queued ones never start
    def kill(self, names: Sequence[str]) -> None: ...
    def close(self) -> None: ...
