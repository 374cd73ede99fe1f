"""A worker process: trains one Hydra job after another and reports over a pipe."""

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
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tangsweep import console
from tangsweep.sweep.hydra_adapter import job_result, replace_job_result


class WorkerSetup(NamedTuple):
    """What all jobs of a worker share."""

    context: HydraContext
    task_function: TaskFunction
    singletons: object  # Hydra's, with OmegaConf's resolvers
    environment: dict[str, str]


def run_worker(pipe: Connection, setup: bytes) -> None:
    """Train pickled job configs until the pipe closes or None comes.

    Messages are tuples whose first item is their kind: `line` and `progress` as the console relays them;
    `returned` with the pickled JobReturn; `exited` where the job raised SystemExit, with its code. SIGTERM
    interrupts the job; Ctrl-C is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while the process was made
    _die_with_parent()
    sending = threading.Lock()

    def send(*message: object) -> None:
        with sending:
            pipe.send(message)

    try:
        context, task_function, singletons, environment = cloudpickle.loads(setup)
        os.environ.update(environment)
        setup_globals()
        Singleton.set_state(singletons)
        console.relay_to_parent(send)
        while (job := pipe.recv()) is not None:
            try:
                returned = _run_job(pickle.loads(job), context, task_function)
            except SystemExit as error:
                send("exited", error.code)
            else:
                send("returned", _pickle_result(returned))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        return  # the run has marked itself as interrupted, or the parent has gone


def _run_job(config: DictConfig, context: HydraContext, task_function: TaskFunction) -> JobReturn:
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _pickle_result(returned: JobReturn) -> bytes:
    """Pickle a result so that it can be unpickled: an exception that cannot be becomes its description."""
    try:
        pickled: bytes = cloudpickle.dumps(returned)
        pickle.loads(pickled)
    except Exception:
        replace_job_result(returned, RuntimeError(repr(job_result(returned))))
        pickled = cloudpickle.dumps(returned)
    return pickled


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _die_with_parent() -> None:
    """When the parent is killed, kill this process too: no run goes on unseen, and its lock is released."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
