"""The sweeper behind every multirun; Hydra finds sweepers only in the namespace `hydra_plugins`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:  # every command imports this file; only a sweep needs these
    from tangsweep.config.run_config import AnyConfig
    from tangsweep.runs.record import Outcome
    from tangsweep.sweep.jobs import PreparedJob


class TangsweepSweeper(Sweeper):
    """Composes the jobs of the grid and hands them to `run_sweep`; the launcher for it, too.

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
        loader: Any = compose.PrecomposedLoader(self.config_loader, self.composer)
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(loader, hydra_context.callbacks),
            task_function=task_function,
            config=config,
        )

    def sweep(self, arguments: list[str]) -> "list[Outcome]":
        """Run the sweep of the sweep file's grids and the command line's arguments."""
        from tangsweep.sweep import grid, jobs, run_sweep

        grids = grid.parse_grids(self.grids, arguments, self.config_loader)
        file_keys = list(dict.fromkeys(key for keys in self.grids for key in keys))
        composed = jobs.compose_jobs(grids, file_keys, self.choices.get("sweeps"), self.composer)
        return run_sweep.run_sweep(composed, self)

    def warm_up(self) -> None:
        """Let the launcher begin what takes time, where it can."""
        if hasattr(self.launcher, "warm_up"):
            self.launcher.warm_up()

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        """Return how many such runs the launcher trains side by side; 1 where it does not say."""
        return int(self.launcher.concurrency(configs)) if hasattr(self.launcher, "concurrency") else 1

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        """Tell the launcher the configs of all runs, where it takes them."""
        if hasattr(self.launcher, "prepare_workers"):
            self.launcher.prepare_workers(configs)

    def launch(self, jobs: "Sequence[PreparedJob]") -> "list[Outcome]":
        """Train the jobs with whichever launcher is configured. Raises UserError where it gives up."""
        from tangsweep.errors import UserError, first_line

        try:
            returns = self.launcher.launch([job.overrides for job in jobs], initial_job_idx=0)
        except Exception as error:
            raise UserError(
                f"the launcher gave up ({first_line(error)}): what ended stands, the rest goes on"
            ) from error
        return [_outcome(job, returned) for job, returned in zip(jobs, returns, strict=True)]


def _outcome(job: "PreparedJob", returned: JobReturn) -> "Outcome":
    """Return what a job returned; one that raised outside its run's own record has failed."""
    from tangsweep.console import print_line
    from tangsweep.runs.record import Outcome
    from tangsweep.sweep.hydra_adapter import job_result

    result = job_result(returned)
    if returned.status is JobStatus.FAILED or not isinstance(result, Outcome):
        print_line(f"a run failed: {result}")
        return Outcome(job.run.name, "failed")
    return result
