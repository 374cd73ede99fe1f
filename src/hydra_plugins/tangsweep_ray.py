"""The launcher `ray`: each job a task of Ray, on this machine or on a cluster."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from hydra_plugins.tangsweep_engines import EngineLauncher
from hydra_plugins.tangsweep_launcher import requested_resources

if TYPE_CHECKING:  # every command imports this module; only a sweep needs these
    from ray import ObjectRef

    from tangsweep.config.run_config import AnyConfig
    from tangsweep.sweep.display import SweepDisplay
    from tangsweep.sweep.engine import JobReport, RemoteJob, RemoteReturn

OBJECT_STORE = 80_000_000  # bytes of shared memory of a Ray of one's own; by default a third of all memory
MAX_FOLDER_BYTES = 40  # Ray's sockets lie below it; the path of a socket has at most 107
Options = dict[str, Any]


class RayLauncher(EngineLauncher):
    """Runs each job as a task. `ray.init` is given to `ray.init`, `ray.remote` to `ray.remote`.

    The cores and GPUs of a task follow the runs' configs where they are None.
    """

    def __init__(self, ray: DictConfig) -> None:
        options: Options = OmegaConf.to_container(ray, resolve=True)  # type: ignore[assignment]
        self.init_options: Options = options["init"]
        self.remote_options: Options = {k: v for k, v in options["remote"].items() if v is not None}

    @property
    def trains_here(self) -> bool:
        return self.init_options.get("address") is None

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        """Return how many tasks fit on this machine; 1 where Ray runs elsewhere."""
        from tangsweep import machine

        cores = self.remote_options.get("num_cpus", requested_resources(configs)[0])
        return max(1, int(machine.usable_cores() // max(cores, 0.01))) if self.trains_here else 1

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        threads, gpus = requested_resources(configs)
        self.remote_options.setdefault("num_cpus", threads)
        self.remote_options.setdefault("num_gpus", gpus)

    def engine(self, display: "SweepDisplay") -> "RayEngine":
        return RayEngine(self.init_options, self.remote_options)


class RayEngine:
    """Tasks of Ray, which it starts again where their process or node dies, `max_retries` times."""

    name = "Ray"

    def __init__(self, init_options: Options, remote_options: Options) -> None:
        """Connect to Ray, or start one. Raises UserError where it is not installed or not reached."""
        from tangsweep.errors import UserError, first_line

        try:
            import ray
        except ImportError:
            raise UserError(
                "hydra/launcher=ray needs Ray: pip install -c constraints.txt -e '.[ray]'"
            ) from None
        from ray._private import worker

        worker.print_to_stdstream = _log_message
        self._ray, self._is_own = ray, not ray.is_initialized()
        if self._is_own:
            try:
                ray.init(**_with_defaults(init_options))
            except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
                raise UserError(f"hydra/launcher=ray: {first_line(error)}") from error
        self._task = (
            ray.remote(**remote_options)(_run_remote_job) if remote_options else ray.remote(_run_remote_job)
        )
        self._tasks: dict[str, ObjectRef[RemoteReturn]] = {}

    def submit(self, jobs: "Sequence[RemoteJob]") -> list[str]:
        tasks = [self._task.remote(job) for job in jobs]
        self._tasks |= {task.hex(): task for task in tasks}
        return [task.hex() for task in tasks]

    def wait(self, names: Sequence[str], seconds: float) -> None:
        self._ray.wait([self._tasks[name] for name in names], timeout=seconds)

    def look(self, names: Sequence[str]) -> "Mapping[str, JobReport]":
        from tangsweep.sweep.engine import JobReport, Stage

        tasks = [self._tasks[name] for name in names]
        ended, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
        names_of_ended = {task.hex() for task in ended}
        return {
            name: self._result(name) if name in names_of_ended else JobReport(Stage.STARTED) for name in names
        }

    def _result(self, name: str) -> "JobReport":
        """Return the report of a task that has ended."""
        from tangsweep.errors import first_line
        from tangsweep.sweep.engine import JobReport, Stage

        errors = self._ray.exceptions
        try:
            return JobReport(Stage.ENDED, returned=self._ray.get(self._tasks.pop(name)))
        except errors.TaskCancelledError:
            problem = "it was cancelled"
        except errors.OutOfMemoryError:
            problem = "its machine ran out of memory: raise hydra.launcher.ray.remote.memory"
        except errors.RayError as error:
            problem = f"its worker was lost ({type(error).__name__}: {first_line(error)})"
        return JobReport(Stage.ENDED, problem=f"Ray: {problem}")

    def interrupt(self, names: Sequence[str]) -> None:
        for name in names:
            self._ray.cancel(self._tasks[name])  # raises KeyboardInterrupt in a task that runs

    def kill(self, names: Sequence[str]) -> None:
        for name in names:
            self._ray.cancel(self._tasks[name], force=True)

    def close(self) -> None:
        """Leave Ray; one that was started here ends."""
        if self._is_own:
            self._ray.shutdown()


def _run_remote_job(job: "RemoteJob") -> "RemoteReturn":
    return job()


def _with_defaults(options: Options) -> Options:
    """Return options of `ray.init` that keep Ray's own lines off the terminal.

    A Ray of one's own writes into this command's temporary folder, and takes little shared memory.
    """
    from tangsweep import temporary_folder

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    if options.get("address") is not None:
        return {key: value for key, value in quiet.items() if key != "include_dashboard"} | options
    own: Options = {"object_store_memory": OBJECT_STORE}
    folder = temporary_folder.own_temporary_folder()
    if folder is not None and len(os.fsencode(folder)) <= MAX_FOLDER_BYTES:
        own["_temp_dir"] = str(folder)
    return quiet | own | options


def _log_message(data: Mapping[str, object], *_: object, **__: object) -> None:
    """Log what Ray would print on the terminal, also with `log_to_driver=False`: that a process was lost."""
    logging.getLogger("ray").warning("%s", data.get("lines"))
