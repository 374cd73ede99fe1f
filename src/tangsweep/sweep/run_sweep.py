"""A sweep from its jobs' overrides to its report; the sweeper plugin calls it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus

from tangsweep.config import identity
from tangsweep.console import print_line
from tangsweep.errors import UserError, first_line
from tangsweep.files import display_path, outputs_folder, safe_name
from tangsweep.runs import command_log
from tangsweep.sweep import plan, run_status
from tangsweep.sweep.compose import Composer
from tangsweep.sweep.grid import every_job, swept_keys
from tangsweep.tasks.registry import TASKS, task_of
from tangsweep.tasks.task import Config, Corpus
from tangsweep.training.prepare import PreparedRun, check, prepare, report_found


class Launcher(Protocol):
    """Whoever makes the jobs' runs."""

    def warm(self) -> None: ...  # begin what takes time before the first run can start
    def launch(self, jobs: list[list[str]]) -> Sequence[JobReturn]: ...
    def at_once(self, configs: Sequence[Config]) -> int: ...  # how many such runs


MANY = 20  # more jobs take seconds to compose


class Job(NamedTuple):
    """One run of a sweep: its overrides, complete, and the config that they compose to."""

    overrides: list[str]
    config: dict[str, Any]


def run_sweep(
    grids: Sequence[Sequence[Override]],
    params: Sequence[str],
    chosen: str | None,
    composer: Composer,
    launcher: Launcher,
) -> list[Any]:
    """Check every job, launch those that are not done, and close with the report.

    The jobs are those of all `grids`. `params` are the keys that the sweep file varies and `chosen` is its
    name, if there is one. With `plan=true` the jobs are checked and listed, and nothing is launched.
    Raises UserError before the first run starts where any job is wrong, and SystemExit(1) after the
    report where a run failed or died.
    """
    jobs = _jobs(grids, params, chosen, composer)
    if not jobs[0].config["plan"] and _is_work_likely(jobs):
        launcher.warm()
    prepared = _prepared(jobs)
    _refuse_twice(prepared)
    report_found(prepared)
    config, folders = jobs[0].config, [p.folder for p in prepared]
    standings = run_status.look_up_runs(folders, config["rerun"])
    if config["plan"]:
        plan.print_plan(prepared, standings, launcher.at_once([job.config for job in jobs]))
        return []
    trained = [p.config for p in prepared if standings[p.folder].trained]
    if trained:
        from tangsweep.training import preflight  # torch: seconds

        preflight.check_before_training(trained)
        launcher.at_once(trained)
    _announce(standings)
    run_status.set_aside(standings, config["unlock"])
    wanted = [pinned(j, p) for j, p in zip(jobs, prepared, strict=True) if standings[p.folder].trained]
    return _launch(wanted, folders, launcher, config["report"])


def _announce(standings: run_status.Standings) -> None:
    """What the command will do, on the terminal and in the sweep's list of commands."""
    sweep = next(iter(standings)).parent
    print_line(f"{run_status.describe_statuses(standings)} into {display_path(sweep)}")
    run_status.warn_of_other_commits(standings)
    command_log.log_command(sweep, len(standings), sum(s.trained for s in standings.values()))


def _launch(
    wanted: list[list[str]], folders: Sequence[Path], launcher: Launcher, reported: bool
) -> list[Any]:
    """Train, and compare whatever comes of it. Raises SystemExit(1) where a run failed or died."""
    returns: Sequence[JobReturn] = []
    try:
        returns = launcher.launch(wanted) if wanted else []
    except Exception as error:
        raise UserError(
            f"the launcher gave up ({first_line(error)}): what ended stands, the rest goes on"
        ) from error
    finally:
        _compare(folders[0].parent, bool(wanted), reported)
        run_status.say_what_is_left(folders)
    failures = [job for job in returns if _failed(job)]
    if failures:
        raise SystemExit(1)
    return [job.return_value for job in returns]


def _compare(sweep: Path, trained: bool, reported: bool) -> None:
    """The closing comparison; where nothing was trained the files of last time stand."""
    if not trained and (sweep / "report.html").exists():
        print_line(f"nothing to train; the report lies in {display_path(sweep / 'report.html')}")
        return
    from tangsweep.sweep import summary  # pandas, SciPy and Altair, only now that they are needed

    summary.print_summary(sweep, reported)


def pinned(job: Job, prepared: PreparedRun) -> list[str]:
    """A job must not resolve the corpus otherwise: where the sample stands in now, it does for all."""
    return [*job.overrides, *(["sweep.stands_in=true"] if prepared.corpus.fallback else [])]


def _jobs(
    grids: Sequence[Sequence[Override]], params: Sequence[str], chosen: str | None, composer: Composer
) -> list[Job]:
    """Every combination, with the sweep's name and the readable part of each run's folder."""
    overrides = [override for grid in grids for override in grid]
    swept = swept_keys(overrides)
    shown = list(dict.fromkeys([*params, *swept])) or [o.get_key_element() for o in overrides]
    named = any(o.get_key_element() == "sweep.name" for o in overrides)
    name = safe_name(chosen or "_".join(shown)) or "single"
    jobs, found = [], every_job(grids)
    if len(found) > MANY:
        print_line(f"composing and checking {len(found)} runs …")
    for job in found:
        varied = identity.slug([o for o in job if o.partition("=")[0] in shown])
        job = [*job, f"sweep.varied='{varied}'", *([] if named else [f"sweep.name='{name}'"])]
        config = composer.plain(job)
        check(config)
        jobs.append(Job(job, config))
    composer.save()
    return jobs


def _prepared(jobs: Sequence[Job]) -> list[PreparedRun]:
    """Each job ready to start; what several jobs read is opened once, by their task."""
    corpora: dict[int, Corpus] = {}
    for task in TASKS.values():
        own = [number for number, job in enumerate(jobs) if task_of(job.config) is task]
        corpora |= zip(own, task.resolve([jobs[n].config for n in own]), strict=True)
    return [prepare(job.config, job.overrides, corpora[n]) for n, job in enumerate(jobs)]


def _is_work_likely(jobs: Sequence[Job]) -> bool:
    """Whether the sweep's folder holds fewer records than there are jobs; seen before they are identified."""
    folder = outputs_folder() / jobs[0].config["sweep"]["name"]
    return sum(1 for _ in folder.glob("*/result.json")) < len(jobs) or jobs[0].config["rerun"] != "unfinished"


def _refuse_twice(prepared: Sequence[PreparedRun]) -> None:
    twice = [folder.name for folder, count in Counter(p.folder for p in prepared).items() if count > 1]
    if twice:
        raise UserError(f"the sweep holds the same run twice ({twice[0]}): name each value once")


def _failed(job: JobReturn) -> bool:
    if job.status is JobStatus.FAILED:  # raised outside the run's own record
        print_line(f"a run failed: {job._return_value}")
        return True
    return job.return_value["status"] == "failed"
