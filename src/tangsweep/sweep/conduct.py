"""A sweep from its jobs' overrides to the closing table; the sweeper plugin calls it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from tangsweep import places
from tangsweep.console import say
from tangsweep.errors import UserError
from tangsweep.runs import identity
from tangsweep.runs.folder import refusal
from tangsweep.sweep.grid import expand, swept_keys
from tangsweep.tasks.named import TASKS, named
from tangsweep.tasks.task import Corpus
from tangsweep.training.prepare import Prepared, check, prepare, report_found

Compose = Callable[[list[str]], DictConfig]
Launch = Callable[[list[list[str]]], Sequence[JobReturn]]


class Job(NamedTuple):
    """One run of a sweep: its overrides, complete, and the config that they compose to."""

    overrides: list[str]
    config: dict[str, Any]


def conduct(
    overrides: Sequence[Override], params: Sequence[str], chosen: str | None, compose: Compose, launch: Launch
) -> list[Any]:
    """Check every job, refuse folders that exist, launch, and close with the comparison.

    `params` are the keys that the sweep file varies and `chosen` is its name, if there is one.
    Raises UserError before the first run starts where any job is wrong, and SystemExit(1) after the
    closing table where a run failed.
    """
    jobs = _jobs(overrides, params, chosen, compose)
    prepared = _prepared(jobs)
    _refuse(prepared)
    report_found(prepared)
    folder = prepared[0].folder.parent
    say(f"{len(jobs)} runs into {places.shown(folder)}")
    # A job must not resolve the corpus again: where the sample stands in now, it does for all.
    pinned = [[*job.overrides, f"corpus.name={p.corpus.name}"] for job, p in zip(jobs, prepared, strict=True)]
    returns: Sequence[JobReturn] = []
    try:
        returns = launch(pinned)
    finally:
        from tangsweep.sweep import comparison  # pandas and Altair, only now that they are needed

        comparison.close(folder)
    if any(_failed(job) for job in returns):
        raise SystemExit(1)
    return [job.return_value for job in returns]


def _jobs(
    overrides: Sequence[Override], params: Sequence[str], chosen: str | None, compose: Compose
) -> list[Job]:
    """Every combination, with the sweep's name and the readable part of each run's folder."""
    swept = swept_keys(overrides)
    shown = list(dict.fromkeys([*params, *swept])) or [o.get_key_element() for o in overrides]
    named = any(o.get_key_element() == "sweep.name" for o in overrides)
    name = identity.clean(chosen or "_".join(shown)) or "single"
    jobs = []
    for job in expand(overrides):
        varied = identity.slug([o for o in job if o.partition("=")[0] in shown and "sweep.name" not in o])
        job = [*job, f"sweep.varied='{varied}'", *([] if named else [f"sweep.name='{name}'"])]
        composed = compose(job)
        own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
        config: Any = OmegaConf.to_container(own, resolve=True)
        check(config)
        jobs.append(Job(job, config))
    return jobs


def _prepared(jobs: Sequence[Job]) -> list[Prepared]:
    """Each job ready to start; what several jobs read is opened once, by their task."""
    corpora: dict[int, Corpus] = {}
    for task in TASKS.values():
        own = [number for number, job in enumerate(jobs) if named(job.config) is task]
        corpora |= zip(own, task.resolve([jobs[n].config for n in own]), strict=True)
    return [prepare(job.config, job.overrides, corpora[n]) for n, job in enumerate(jobs)]


def _refuse(prepared: Sequence[Prepared]) -> None:
    folders = [p.folder for p in prepared]
    twice = [folder.name for folder, count in Counter(folders).items() if count > 1]
    if twice:
        raise UserError(f"the sweep holds the same run twice ({twice[0]}): name each value once")
    existing = [folder for folder in folders if folder.exists()]
    if existing:
        raise UserError(refusal(existing, len(folders)))


def _failed(job: JobReturn) -> bool:
    if job.status is JobStatus.FAILED:  # raised outside the run's own record
        say(f"a run failed: {job._return_value}")
        return True
    return job.return_value["status"] == "failed"
