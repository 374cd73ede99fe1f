"""A worker process: runs one Hydra job after another and reports to its parent over a pipe."""

import multiprocessing
import os
import pickle
import signal
import threading
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import NamedTuple

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tangsweep import console
from tangsweep.sweep.hydra_adapter import WorkerState, job_result, replace_job_result, set_worker_state

_interrupted = threading.Event()  # Python ignores an exception in some callbacks: then this ends the worker


class WorkerSetup(NamedTuple):
    """The context, task function and environment that all jobs of a worker share."""

    context: HydraContext
    task_function: TaskFunction
    hydra_state: WorkerState
    environment: dict[str, str]


class JobReturned(NamedTuple):
    """The message of a worker whose job has ended with a result or an exception; of SystemExit it is
    JobExited.
    """

    pickled: bytes  # the JobReturn


class JobExited(NamedTuple):
    """The message of a worker whose job raised SystemExit."""

    code: str | int | None


WorkerMessage = console.ConsoleMessage | JobReturned | JobExited


def run_worker(pipe: Connection, setup: bytes) -> None:
    """Receive pickled job configs and run them until the pipe closes or None is received.

    Everything sent back is a WorkerMessage. SIGTERM interrupts the job. Ctrl-C is ignored: the parent
    process handles it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while the process was started
    _die_with_parent()
    sending = threading.Lock()

    def send(message: WorkerMessage) -> None:
        with sending:
            pipe.send(message)

    try:
        worker_setup = unpack_setup(setup)
        console.relay_to_parent(send)
        while not _interrupted.is_set() and (job := pipe.recv()) is not None:
            send(run_packed_job(job, worker_setup))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        return  # the run has marked itself as interrupted, or the parent process has ended


def unpack_setup(packed: bytes) -> WorkerSetup:
    """Return the setup that another process has packed, and take over its environment and Hydra's state."""
    setup: WorkerSetup = cloudpickle.loads(packed)
    os.environ.update(setup.environment)
    setup_globals()
    set_worker_state(setup.hydra_state)
    return setup


def run_packed_job(packed: bytes, setup: WorkerSetup) -> JobReturned | JobExited:
    """Run the job of a pickled config. Lets KeyboardInterrupt pass."""
    config: DictConfig = pickle.loads(packed)
    HydraConfig.instance().set_config(config)
    try:
        returned = run_job(
            hydra_context=setup.context,
            task_function=setup.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    except SystemExit as error:
        return JobExited(error.code)
    return JobReturned(_pickle_result(returned))


def _pickle_result(returned: JobReturn) -> bytes:
    """Pickle a result. A RuntimeError with its text replaces an exception that cannot be unpickled."""
    try:
        pickled: bytes = cloudpickle.dumps(returned)
        pickle.loads(pickled)
    except Exception:
        replace_job_result(returned, RuntimeError(repr(job_result(returned))))
        pickled = cloudpickle.dumps(returned)
    return pickled


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.set()
    raise KeyboardInterrupt


def _die_with_parent() -> None:
    """Kill this process when its parent is killed, so that no run continues unseen and holds its lock."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
