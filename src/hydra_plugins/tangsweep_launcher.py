"""What this project's launchers share, and `pool`, the default: worker processes on this machine."""

import abc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

if TYPE_CHECKING:  # every command imports this module; only a sweep needs these
    from tangsweep.config.run_config import AnyConfig
    from tangsweep.sweep.display import SearchDisplay, SweepDisplay
    from tangsweep.sweep.jobs import PreparedJob
    from tangsweep.sweep.phase import NumberedStream
    from tangsweep.sweep.pool import JobSource
    from tangsweep.sweep.worker import WorkerSetup
    from tangsweep.training.prepare import PreparedRun


@dataclass
class PoolConf:
    """The keys below `hydra.launcher`."""

    _target_: str = "hydra_plugins.tangsweep_launcher.PoolLauncher"
    workers: int | None = None  # processes; null: as many as pay off
    # A module that is imported before workers are forked; worker_process.PRELOAD.
    preload: str | None = "tangsweep.sweep.preload"


ConfigStore.instance().store(group="hydra/launcher", name="pool", node=PoolConf, provider="tangsweep")


class JobLauncher(Launcher, abc.ABC):
    """Composes jobs in this process, has them trained elsewhere, and shows their progress."""

    @property
    def trains_here(self) -> bool:
        """Whether runs are trained on this machine, so that its memory and GPUs can be checked."""
        return True

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def warm_up(self) -> None:
        """Begin what takes time, in parallel to what this process does next."""

    @abc.abstractmethod
    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        """Return how many runs of these configs are trained at once."""

    def check(self, configs: "Sequence[AnyConfig]") -> None:
        """Check what needs torch. Raises UserError."""
        from tangsweep.training.prepare import check_before_training

        check_before_training(configs)

    @abc.abstractmethod
    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        """Choose workers and their resources from the configs of all runs."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results in order. Raises SystemExit where a job raises it."""
        return self._launch(job_overrides, initial_job_idx, [])

    def launch_runs(self, jobs: "Sequence[PreparedJob]") -> Sequence[JobReturn]:
        """Do what `launch` does, with jobs whose runs are known."""
        return self._launch([job.overrides for job in jobs], 0, [job.run for job in jobs])

    def _launch(
        self, job_overrides: Sequence[Sequence[str]], first: int, runs: "Sequence[PreparedRun]"
    ) -> Sequence[JobReturn]:
        from tangsweep.sweep.display import SweepDisplay
        from tangsweep.sweep.pool import JobList

        jobs = [
            partial(self._compose, overrides, number)
            for number, overrides in enumerate(job_overrides, start=first)
        ]
        with SweepDisplay([_display_name(overrides) for overrides in job_overrides]) as display:
            return self._run(JobList(jobs), runs, display, None)

    def launch_stream(self, stream: "NumberedStream", at_once: int) -> None:
        """Run the jobs of a stream, as many at once as there are workers, or else `at_once`.

        Raises as `launch` does.
        """
        from tangsweep.sweep.display import SearchDisplay

        with SearchDisplay(stream.progress) as display:
            source = _StreamSource(stream, self._compose, display)
            self._run(source, source.runs, display, at_once)

    @abc.abstractmethod
    def _run(
        self,
        source: "JobSource",
        runs: "Sequence[PreparedRun]",
        display: "SweepDisplay",
        at_once: int | None,
    ) -> list[JobReturn]:
        """Run the jobs of a source and return their results in order; `runs` are those that are known."""

    def _worker_setup(self) -> "WorkerSetup":
        """Return what every job needs, and prepare this process as Hydra's launchers do."""
        from tangsweep.sweep.hydra_adapter import worker_state
        from tangsweep.sweep.worker import WorkerSetup

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        # Workers compose nothing.
        hydra_context = HydraContext(cast(ConfigLoader, None), self.context.callbacks)
        return WorkerSetup(hydra_context, self.task_function, worker_state(), dict(os.environ))

    def _compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        return config


class PoolLauncher(JobLauncher):
    """Runs jobs in worker processes on this machine."""

    def __init__(self, workers: int | None, preload: str | None) -> None:
        self.workers, self.preload = workers, preload
        self.environments: list[dict[str, str]] = []  # one a worker, from prepare_workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from tangsweep import machine

        machine.check_workers(self.workers)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def warm_up(self) -> None:
        from tangsweep.sweep import worker_process

        worker_process.process_context(self.preload)

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        return len(self._environments(configs))

    def check(self, configs: "Sequence[AnyConfig]") -> None:
        """Check in a worker process what needs torch. Raises UserError."""
        from tangsweep.sweep import worker_check, worker_process

        worker_check.check_in_worker(worker_process.process_context(self.preload), configs)

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        """Choose the number of workers and their environments from the configs of all runs."""
        self.environments = self._environments(configs)

    def _run(
        self,
        source: "JobSource",
        runs: "Sequence[PreparedRun]",
        display: "SweepDisplay",
        at_once: int | None,
    ) -> list[JobReturn]:
        from tangsweep.sweep import pool, worker_process  # no command but a sweep needs them

        context = worker_process.process_context(self.preload)
        environments = self.environments or self._environments([])
        fail_fast = bool(self.config.get("fail_fast"))
        return pool.Pool(context, self._worker_setup(), environments, display, fail_fast).run(source)

    def _environments(self, configs: "Sequence[AnyConfig]") -> list[dict[str, str]]:
        from tangsweep import machine

        threads, gpus = requested_resources(configs)
        return machine.worker_environments(self.workers, gpus > 0, threads)


def requested_resources(configs: "Sequence[AnyConfig]") -> tuple[int, int]:
    """Return the cores and the GPUs of a run: those of the run that needs most."""
    threads = max((config.trainer.threads for config in configs), default=1)
    return threads, int(any(config.trainer.accelerator == "gpu" for config in configs))


class _StreamSource:
    """The `JobSource` of a stream; names the jobs on the display."""

    def __init__(
        self,
        stream: "NumberedStream",
        compose: Callable[[Sequence[str], int], DictConfig],
        display: "SearchDisplay",
    ) -> None:
        self._stream, self._compose, self._display = stream, compose, display
        self.runs: list[PreparedRun] = []  # of the jobs so far

    def next_job(self) -> Callable[[], DictConfig] | None:
        from tangsweep.sweep.search import interrupts_deferred

        job = self._stream.next_job()
        if job is None:
            return None
        self._display.add_name(_display_name(job.overrides))
        self.runs.append(job.run)
        with interrupts_deferred():
            config = self._compose(job.overrides, len(self.runs) - 1)
        return lambda: config

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self._stream.on_job_end(job, returned)


def _display_name(overrides: Sequence[str]) -> str:
    """Return the name of a job until its run reports its own."""
    return " ".join(o for o in filter_overrides(overrides) if not o.startswith("sweep."))
