"""The sweeper behind every multirun. Hydra finds plugins only in the namespace `hydra_plugins`."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from hydra.core.config_loader import ConfigLoader
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:  # every command imports this module; only a sweep needs these
    from hydra.core.override_parser.types import Override

    from tangsweep.config.run_config import AnyConfig
    from tangsweep.runs.record import Outcome
    from tangsweep.sweep.jobs import PreparedJob
    from tangsweep.sweep.phase import JobStream, NumberedStream
    from tangsweep.sweep.run_sweep import SweepResult

LISTS = ("confirm.seeds", "search.seeds")  # keys of which several values are one list, and no jobs


@runtime_checkable
class ConcurrentLauncher(Protocol):
    """What a launcher may offer beside `launch`. This project's own does, Hydra's do not."""

    @property
    def trains_here(self) -> bool: ...

    def warm_up(self) -> None: ...
    def concurrency(self, configs: "Sequence[AnyConfig]") -> int: ...
    def check(self, configs: "Sequence[AnyConfig]") -> None: ...
    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None: ...
    def launch_runs(self, jobs: "Sequence[PreparedJob]") -> Sequence[JobReturn]: ...
    def launch_stream(self, stream: "NumberedStream", at_once: int) -> None: ...


class TangsweepSweeper(Sweeper):
    """Composes the jobs of a sweep and passes them to `run_sweep`, whose Launcher it is as well.

    `params` is the sweep file's grid: keys and their values. `grids` are several of these, whose union is
    trained.
    """

    def __init__(
        self, params: object = None, grids: object = None, max_batch_size: int | None = None
    ) -> None:
        self.params, self.grids = params, grids

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from tangsweep.sweep import compose  # only a sweep needs it

        self.choices, self.trials = config.hydra.runtime.choices, config.search.trials
        self.config_loader = hydra_context.config_loader
        self.composer = compose.Composer(self.config_loader, config)
        loader = compose.PrecomposedLoader(self.config_loader, self.composer)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(cast(ConfigLoader, loader), hydra_context.callbacks),
            task_function=task_function,
            config=config,
        )

    def sweep(self, arguments: list[str]) -> "SweepResult":
        """Run the sweep of the sweep file's grids and the command line's overrides."""
        from tangsweep.sweep import grid, jobs, run_sweep

        arguments = jobs.last_of_each_key(arguments)
        for key in LISTS:
            arguments = [grid.as_list(argument, key) for argument in arguments]
        file_grids = grid.read_grids(self.params, self.grids)
        grids = grid.parse_grids(file_grids, arguments, self.config_loader)
        file_keys = list(dict.fromkeys(key for keys in file_grids for key in keys))
        sweep_file = self.choices.get("sweeps")
        grid.check_sweep_file(sweep_file, grids, file_keys)
        if self._is_search(arguments):
            return self._search(grids, file_keys)
        composed = jobs.compose_jobs(grids, file_keys, sweep_file, self.composer)
        make_job = partial(jobs.with_seed, composer=self.composer)
        return run_sweep.run_sweep(composed, self, make_job=make_job)

    def _is_search(self, arguments: Sequence[str]) -> bool:
        trials = next((a.partition("=")[2] for a in arguments if a.startswith("search.trials=")), None)
        return self.trials is not None if trials is None else trials != "null"

    def _search(self, grids: "Sequence[Sequence[Override]]", file_keys: Sequence[str]) -> "SweepResult":
        """Run the search whose space the grids span."""
        from tangsweep.sweep import jobs, search_command, search_runs, search_space

        single = [o.input_line or "" for o in grids[0] if not o.is_sweep_override()]
        sweep = self.composer.plain([o for o in single if o.startswith("sweep.")])["sweep"]
        compare = sweep.get("compare")
        space = search_space.read_space(grids, compare)
        name = jobs.sweep_name(grids, file_keys, self.choices.get("sweeps"))
        names = [f"sweep.name='{name}'"] if name else []
        runs = search_runs.SearchRuns(space, self.composer, names, self.trains_here)
        return search_command.run_search(space, runs, self, self.choices.get("sweeps"))

    @property
    def trains_here(self) -> bool:
        """Whether the launcher trains on this machine."""
        return self.launcher.trains_here if isinstance(self.launcher, ConcurrentLauncher) else True

    def warm_up(self) -> None:
        """Let the launcher begin what takes time, if it can."""
        if isinstance(self.launcher, ConcurrentLauncher):
            self.launcher.warm_up()

    def concurrency(self, configs: "Sequence[AnyConfig]") -> int:
        """Return how many runs of these configs the launcher trains at once; 1 where it does not say."""
        return self.launcher.concurrency(configs) if isinstance(self.launcher, ConcurrentLauncher) else 1

    def check(self, configs: "Sequence[AnyConfig]") -> None:
        """Check what needs torch, in a worker of the launcher if it has any. Raises UserError."""
        from tangsweep.training.prepare import check_before_training

        if isinstance(self.launcher, ConcurrentLauncher):
            self.launcher.check(configs)
        else:
            check_before_training(configs)

    def prepare_workers(self, configs: "Sequence[AnyConfig]") -> None:
        """Let the launcher choose its workers from the configs of all runs, if it can."""
        if isinstance(self.launcher, ConcurrentLauncher):
            self.launcher.prepare_workers(configs)

    def launch_stream(self, stream: "JobStream", at_once: int) -> None:
        """Train the jobs of a stream; with a launcher that takes whole batches, `at_once` in each.

        Raises UserError where the launcher itself fails.
        """
        from tangsweep.sweep.hydra_adapter import is_basic_launcher

        if isinstance(self.launcher, ConcurrentLauncher):
            self.launcher.launch_stream(_LaunchedStream(stream), at_once)
            return
        size = 1 if is_basic_launcher(self.launcher) else at_once
        while batch := [job for _ in range(size) if (job := stream.next_job()) is not None]:
            for job, outcome in zip(batch, self.launch(batch), strict=True):
                stream.on_job_end(job, outcome)

    def launch(self, jobs: "Sequence[PreparedJob]") -> "list[Outcome]":
        """Train the jobs with the configured launcher. Raises UserError where the launcher itself fails."""
        from tangsweep.errors import UserError, first_line

        assert self.launcher is not None
        try:
            if isinstance(self.launcher, ConcurrentLauncher):
                returns = self.launcher.launch_runs(jobs)
            else:
                returns = self.launcher.launch([job.overrides for job in jobs], initial_job_idx=0)
        except Exception as error:
            raise UserError(
                f"the launcher failed ({first_line(error)}): runs that have ended are kept, the same command "
                "continues the others"
            ) from error
        return [_outcome(job, returned) for job, returned in zip(jobs, returns, strict=True)]


class _LaunchedStream:
    """A stream as the launcher has it: it knows the jobs by their numbers."""

    def __init__(self, stream: "JobStream") -> None:
        self._stream = stream
        self.progress = stream.progress
        self._jobs: list[PreparedJob] = []

    def next_job(self) -> "PreparedJob | None":
        job = self._stream.next_job()
        if job is not None:
            self._jobs.append(job)
        return job

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self._stream.on_job_end(self._jobs[job], _outcome(self._jobs[job], returned))


def _outcome(job: "PreparedJob", returned: JobReturn) -> "Outcome":
    """Return the outcome that a job returned. A job that raised has failed before its run could record it."""
    from tangsweep.console import print_line
    from tangsweep.errors import first_line
    from tangsweep.runs.record import Outcome
    from tangsweep.sweep.hydra_adapter import job_result

    result = job_result(returned)
    if returned.status is JobStatus.FAILED or not isinstance(result, Outcome):
        reason = f"its job returned a {type(result).__name__}"
        if isinstance(result, BaseException):
            reason = first_line(result) or type(result).__name__
        print_line(f"{job.run.name} failed: {reason}")
        return Outcome(job.run.name, "failed")
    return result
