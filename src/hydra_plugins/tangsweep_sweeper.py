"""The sweeper behind every multirun; Hydra finds sweepers only in the namespace `hydra_plugins`."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.errors import UserError, first_line
from tangsweep.runs.record import Outcome
from tangsweep.sweep.jobs import PreparedJob


class TangsweepSweeper(Sweeper):
    """Hands the grid to `tangsweep.sweep.run_sweep` and the jobs to whichever launcher is configured.

    `params` are the sweep file's grid: key → values as they would stand on the command line; `grids`
    several of them, whose union is trained.
    """

    def __init__(
        self,
        params: Mapping[str, str] | None = None,
        grids: Sequence[Mapping[str, str]] | None = None,
        max_batch_size: int | None = None,
    ) -> None:
        self.grids = list(grids) if grids else [params or {}]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from tangsweep.sweep import compose  # no command but a sweep needs it

        self.choices = config.hydra.runtime.choices
        self.config_loader = hydra_context.config_loader
        self.composer = compose.Composer(self.config_loader, config)
        planned: Any = compose.Planned(self.config_loader, self.composer)
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(planned, hydra_context.callbacks),
            task_function=task_function,
            config=config,
        )

    def sweep(self, arguments: list[str]) -> list[Outcome]:
        from tangsweep.sweep import grid, jobs, run_sweep

        grids = grid.union(self.grids, arguments, self.config_loader)
        file_keys = list(dict.fromkeys(key for keys in self.grids for key in keys))
        composed = jobs.compose_jobs(grids, file_keys, self.choices.get("sweeps"), self.composer)
        return run_sweep.run_sweep(composed, self)

    def warm_up(self) -> None:
        """Let the launcher begin what takes time, where it can."""
        if hasattr(self.launcher, "warm_up"):
            self.launcher.warm_up()

    def concurrency(self, configs: Sequence[AnyConfig]) -> int:
        """Return how many such runs the launcher trains side by side; 1 where it does not say."""
        return self.launcher.concurrency(configs) if hasattr(self.launcher, "concurrency") else 1

    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None:
        """Tell the launcher the configs of all runs, where it wants to know."""
        if hasattr(self.launcher, "prepare_workers"):
            self.launcher.prepare_workers(configs)

    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        """Train the jobs with whichever launcher is configured. Raises UserError where it gives up."""
        try:
            returns = self.launcher.launch([job.overrides for job in jobs], initial_job_idx=0)
        except Exception as error:
            raise UserError(
                f"the launcher gave up ({first_line(error)}): what ended stands, the rest goes on"
            ) from error
        return [_outcome(job, returned) for job, returned in zip(jobs, returns, strict=True)]


def _outcome(job: PreparedJob, returned: JobReturn) -> Outcome:
    """What a job returned; one that raised outside its run's own record has failed."""
    if returned.status is JobStatus.FAILED:
        print_line(f"a run failed: {returned._return_value}")
        return Outcome(job.run.name, "failed")
    outcome: Outcome = returned.return_value
    return outcome
