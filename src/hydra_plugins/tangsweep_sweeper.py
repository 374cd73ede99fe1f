"""The sweeper behind every multirun; Hydra finds sweepers only in the namespace `hydra_plugins`."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


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

    def sweep(self, arguments: list[str]) -> Any:
        from tangsweep.sweep import grid, run_sweep

        grids = grid.union(self.grids, arguments, self.config_loader)
        varied = list(dict.fromkeys(key for keys in self.grids for key in keys))
        return run_sweep.run_sweep(grids, varied, self.choices.get("sweeps"), self.composer, self)

    def warm(self) -> None:
        """Let the launcher begin what takes time, where it can."""
        if hasattr(self.launcher, "warm"):
            self.launcher.warm()

    def launch(self, jobs: Sequence[Sequence[str]]) -> Any:
        return self.launcher.launch(jobs, initial_job_idx=0)

    def at_once(self, configs: Sequence[Mapping[str, Any]]) -> int:
        """How many such runs the launcher trains side by side; 1 where it does not say."""
        return self.launcher.at_once(configs) if hasattr(self.launcher, "at_once") else 1
