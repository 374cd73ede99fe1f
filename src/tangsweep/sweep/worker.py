"""What a worker process does: one Hydra job after another, told to and reported over a pipe."""

import multiprocessing
import os
import pickle
import signal
import threading
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tangsweep import console


class Setup(NamedTuple):
    """What all jobs of a worker share."""

    context: HydraContext
    task_function: TaskFunction
    singletons: Any  # Hydra's, with OmegaConf's resolvers
    environment: dict[str, str]


def work(pipe: Connection, setup: bytes) -> None:
    """Receives pickled job configs until the pipe closes or None comes; sends messages (kind, ...).

    `say` and `progress` as the console relays them; `returned` with the pickled JobReturn; `left` where
    the job raised SystemExit, with its code. SIGTERM interrupts the job, Ctrl-C is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while it was made
    _die_with_the_parent()
    sending = threading.Lock()

    def tell(*message: Any) -> None:
        with sending:
            pipe.send(message)

    try:
        context, task_function, singletons, environment = cloudpickle.loads(setup)
        os.environ.update(environment)
        setup_globals()
        Singleton.set_state(singletons)
        console.relay_to_parent(tell)
        while (job := pipe.recv()) is not None:
            try:
                returned = _do(pickle.loads(job), context, task_function)
            except SystemExit as left:
                tell("left", left.code)
            else:
                tell("returned", _packed(returned))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        return  # the run has marked itself as interrupted, or the parent has gone


def _do(config: DictConfig, context: HydraContext, task_function: TaskFunction) -> JobReturn:
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _packed(returned: JobReturn) -> bytes:
    """Pickled, and sure to be read again: an exception that cannot be is told in words."""
    try:
        packed = cloudpickle.dumps(returned)
        pickle.loads(packed)
    except Exception:
        returned._return_value = RuntimeError(repr(returned._return_value))
        return cloudpickle.dumps(returned)
    return packed


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _die_with_the_parent() -> None:
    """No run goes on unseen: when the parent is killed, so is this process, and its lock is released."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
