"""What the launchers `ray` and `submitit_*` share: an engine runs their jobs, here or elsewhere."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn

from hydra_plugins.tangsweep_launcher import JobLauncher

if TYPE_CHECKING:  # every command imports this module; only a sweep needs these
    from tangsweep.sweep.display import SweepDisplay
    from tangsweep.sweep.engine import Engine
    from tangsweep.sweep.pool import JobSource
    from tangsweep.training.prepare import PreparedRun


class EngineLauncher(JobLauncher):
    """Runs jobs on an engine such as Slurm or Ray."""

    def most_jobs(self) -> int | None:
        """Return how many jobs the engine is given at a time; None: all."""
        return None

    @abc.abstractmethod
    def engine(self, display: "SweepDisplay") -> "Engine":
        """Return the engine, connected. Raises UserError where it cannot be had."""

    def _run(
        self,
        source: "JobSource",
        runs: "Sequence[PreparedRun]",
        display: "SweepDisplay",
        at_once: int | None,
    ) -> list[JobReturn]:
        from tangsweep.sweep import dispatch, engine

        limits = [limit for limit in (at_once, self.most_jobs()) if limit is not None]
        dispatcher = dispatch.Dispatcher(
            self.engine(display),
            engine.pack_setup(self._worker_setup()),
            display,
            min(limits, default=None),
            bool(self.config.get("fail_fast")),
        )
        return dispatcher.run(source, runs)
