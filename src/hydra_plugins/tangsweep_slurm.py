"""The launchers `submitit_slurm`, jobs on a Slurm cluster, and `submitit_local`, each job a process here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from omegaconf import OmegaConf

from hydra_plugins.tangsweep_engines import EngineLauncher
from hydra_plugins.tangsweep_launcher import requested_resources

if TYPE_CHECKING:  # every command imports this module; only a sweep needs these
    import submitit

    from tangsweep.config.run_config import AnyConfig
    from tangsweep.sweep.display import SweepDisplay
    from tangsweep.sweep.slurm_engine import SlurmEngine, SubmititEngine

MOST_JOBS = 500  # that Slurm has at a time; its arrays have at most a thousand by default
BASE_PARAMETERS = (  # of submitit for any cluster; the names of others begin with slurm_ there
    "name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node",
    "stderr_to_stdout",
)  # fmt: skip


class SubmititLauncher(EngineLauncher):
    """Runs each job in a process of its own that submitit starts.

    `parameters` are submitit's; those that are None are left to it, or follow the runs' configs.
    """

    cluster = ""  # submitit's name for it

    def __init__(self, submitit_folder: str, max_num_timeout: int = 0, **parameters: object) -> None:
        self.folder, self.max_num_timeout = submitit_folder, max_num_timeout
        self.parameters = {
            key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for key, value in parameters.items()
            if value is not None
        }

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        threads, gpus = requested_resources(configs)
        self.parameters.setdefault("cpus_per_task", threads)
        if gpus:
            self.parameters.setdefault("gpus_per_node", gpus)

    def executor(self) -> "submitit.AutoExecutor":
        """Return submitit's executor. Raises UserError where submitit or Slurm is not installed."""
        from tangsweep.errors import UserError, first_line

        try:
            import submitit
        except ImportError:
            raise UserError(
                "hydra/launcher=submitit_* needs submitit: pip install -c constraints.txt -e '.[slurm]'"
            ) from None
        named = {k if k in BASE_PARAMETERS else f"slurm_{k}": v for k, v in self.parameters.items()}
        try:
            executor = submitit.AutoExecutor(
                self.folder, cluster=self.cluster, slurm_max_num_timeout=self.max_num_timeout
            )
            executor.update_parameters(**named)
        except (RuntimeError, ValueError, TypeError, NameError) as error:
            raise UserError(f"hydra/launcher=submitit_{self.cluster}: {first_line(error)}") from error
        return executor


class SlurmLauncher(SubmititLauncher):
    """Submits the jobs to Slurm, as one array where they are known beforehand."""

    cluster = "slurm"

    @property
    def trains_here(self) -> bool:
        return False

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        return cast(int, self.parameters.get("array_parallelism", MOST_JOBS))

    def most_jobs(self) -> int:
        return MOST_JOBS

    def engine(self, display: "SweepDisplay") -> "SlurmEngine":
        from tangsweep.sweep.slurm_engine import SlurmEngine

        return SlurmEngine(self.executor(), display.on_line)


class LocalLauncher(SubmititLauncher):
    """Starts as many processes here as the pool would have workers."""

    cluster = "local"

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        from tangsweep import machine

        threads = cast(int, self.parameters.get("cpus_per_task", requested_resources(configs)[0]))
        return len(machine.worker_environments(None, False, threads))

    def most_jobs(self) -> int:
        return self.concurrency([])

    def engine(self, display: "SweepDisplay") -> "SubmititEngine":
        from tangsweep.sweep.slurm_engine import SubmititEngine

        return SubmititEngine(self.executor())
