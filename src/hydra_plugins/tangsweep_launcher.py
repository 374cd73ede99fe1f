"""The launcher `hydra/launcher=pool`, the default: worker processes on this machine, reused for many jobs."""

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
    from tangsweep.sweep.phase import OverridesStream
    from tangsweep.sweep.pool import JobSource


@dataclass
class PoolConf:
    """The keys below `hydra.launcher`."""

    _target_: str = "hydra_plugins.tangsweep_launcher.PoolLauncher"
    workers: int | None = None  # processes; null: as many as pay off
    # A module that is imported before workers are forked; worker_process.PRELOAD.
    preload: str | None = "tangsweep.sweep.preload"


ConfigStore.instance().store(group="hydra/launcher", name="pool", node=PoolConf, provider="tangsweep")


class PoolLauncher(Launcher):
    """Composes jobs in this process, runs them in worker processes, and shows their progress."""

    def __init__(self, workers: int | None, preload: str | None) -> None:
        self.workers, self.preload = workers, preload
        self.environments: list[dict[str, str]] = []  # one a worker, from prepare_workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from tangsweep import machine

        machine.check_workers(self.workers)
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def warm_up(self) -> None:
        """Begin to import what workers need, in parallel to what this process does next."""
        from tangsweep.sweep import worker_process

        worker_process.process_context(self.preload)

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        """Return how many runs of these configs are trained at once."""
        return len(self._environments(configs))

    def check(self, configs: "Sequence[AnyConfig]") -> None:
        """Check in a worker process what needs torch. Raises UserError."""
        from tangsweep.sweep import worker_check, worker_process

        worker_check.check_in_worker(worker_process.process_context(self.preload), configs)

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        """Choose the number of workers and their environments from the configs of all runs."""
        self.environments = self._environments(configs)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results in order. Raises SystemExit where a job raises it."""
        from tangsweep.sweep.display import SweepDisplay
        from tangsweep.sweep.pool import JobList

        jobs = [
            partial(self._compose, overrides, number)
            for number, overrides in enumerate(job_overrides, start=initial_job_idx)
        ]
        with SweepDisplay([_display_name(overrides) for overrides in job_overrides]) as display:
            return self._run(JobList(jobs), display)

    def launch_stream(self, stream: "OverridesStream") -> None:
        """Run the jobs of a stream; no worker waits while there is one. Raises as `launch` does."""
        from tangsweep.sweep.display import SearchDisplay

        with SearchDisplay(stream.progress) as display:
            self._run(_StreamSource(stream, self._compose, display), display)

    def _run(self, source: "JobSource", display: "SweepDisplay") -> list[JobReturn]:
        from tangsweep.sweep import pool, worker, worker_process  # no command but a sweep needs them
        from tangsweep.sweep.hydra_adapter import worker_state

        context = worker_process.process_context(self.preload)
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        # Workers compose nothing.
        hydra_context = HydraContext(cast(ConfigLoader, None), self.context.callbacks)
        setup = worker.WorkerSetup(hydra_context, self.task_function, worker_state(), dict(os.environ))
        environments = self.environments or self._environments([])
        fail_fast = bool(self.config.get("fail_fast"))
        return pool.Pool(context, setup, environments, display, fail_fast).run(source)

    def _environments(self, configs: "Sequence[AnyConfig]") -> list[dict[str, str]]:
        from tangsweep import machine

        gpu = any(config.trainer.accelerator == "gpu" for config in configs)
        threads = max((config.trainer.threads for config in configs), default=1)
        return machine.worker_environments(self.workers, gpu, threads)

    def _compose(self, overrides: Sequence[str], number: int) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        return config


class _StreamSource:
    """The pool's `JobSource` of a stream; names the jobs on the display."""

    def __init__(
        self,
        stream: "OverridesStream",
        compose: Callable[[Sequence[str], int], DictConfig],
        display: "SearchDisplay",
    ) -> None:
        self._stream, self._compose, self._display = stream, compose, display
        self._count = 0

    def next_job(self) -> Callable[[], DictConfig] | None:
        from tangsweep.sweep.search import interrupts_deferred

        overrides = self._stream.next_overrides()
        if overrides is None:
            return None
        self._display.add_name(_display_name(overrides))
        self._count += 1
        with interrupts_deferred():
            config = self._compose(overrides, self._count - 1)
        return lambda: config

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self._stream.on_job_end(job, returned)


def _display_name(overrides: Sequence[str]) -> str:
    """Return the name of a job until its run reports its own."""
    return " ".join(o for o in filter_overrides(overrides) if not o.startswith("sweep."))
