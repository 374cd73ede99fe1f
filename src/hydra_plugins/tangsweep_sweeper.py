"""The sweeper behind every multirun; Hydra finds sweepers only in the namespace `hydra_plugins`."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class TangsweepSweeper(Sweeper):
    """Hands the grid to `tangsweep.sweep.conduct` and the jobs to whichever launcher is configured.

    `params` are the sweep file's grid: key → values as they would stand on the command line.
    """

    def __init__(self, params: Mapping[str, str] | None = None, max_batch_size: int | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.choices, self.config_loader = config.hydra.runtime.choices, hydra_context.config_loader
        self.compose = partial(self.config_loader.load_sweep_config, config)
        self.launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from tangsweep.sweep import conduct, grid  # not before a sweep starts: they import pandas

        def launch(jobs: Sequence[Sequence[str]]) -> Any:
            return self.launcher.launch(jobs, initial_job_idx=0)

        overrides = grid.merged(self.params, arguments, self.config_loader)
        chosen = self.choices.get("sweeps")
        return conduct.conduct(overrides, list(self.params), chosen, self.compose, launch)
