"""A sweep from its jobs' overrides to the closing table; the sweeper plugin calls it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from tangsweep import places
from tangsweep.console import say
from tangsweep.errors import UserError
from tangsweep.runs import commands, identity
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import RERUN, State, of
from tangsweep.sweep.grid import every_job, swept_keys
from tangsweep.tasks.named import TASKS, named
from tangsweep.tasks.task import Corpus
from tangsweep.training.prepare import Prepared, check, prepare, report_found

Compose = Callable[[list[str]], DictConfig]
Launch = Callable[[list[list[str]]], Sequence[JobReturn]]


MANY = 20  # more jobs take seconds to compose


class Job(NamedTuple):
    """One run of a sweep: its overrides, complete, and the config that they compose to."""

    overrides: list[str]
    config: dict[str, Any]


def conduct(
    grids: Sequence[Sequence[Override]],
    params: Sequence[str],
    chosen: str | None,
    compose: Compose,
    launch: Launch,
) -> list[Any]:
    """Check every job, launch those that are not done, and close with the comparison.

    The jobs are those of all `grids`. `params` are the keys that the sweep file varies and `chosen` is its
    name, if there is one.
    Raises UserError before the first run starts where any job is wrong, and SystemExit(1) after the
    closing table where a run failed.
    """
    jobs = _jobs(grids, params, chosen, compose)
    prepared = _prepared(jobs)
    _refuse_twice(prepared)
    report_found(prepared)
    folder = prepared[0].folder.parent
    wanted = _wanted(prepared, jobs[0].config["rerun"])
    say(f"{describe(wanted)} into {places.shown(folder)}")
    commands.note(folder, len(wanted), sum(standing.trained for standing in wanted.values()))
    _set_aside(wanted)
    # A job must not resolve the corpus otherwise: where the sample stands in now, it does for all.
    pinned = [
        [*job.overrides, "rerun=unfinished", *(["sweep.stands_in=true"] if p.corpus.fallback else [])]
        for job, p in zip(jobs, prepared, strict=True)
        if wanted[p.folder].trained
    ]
    returns: Sequence[JobReturn] = []
    try:
        returns = launch(pinned) if pinned else []
    finally:
        from tangsweep.sweep import comparison  # pandas and Altair, only now that they are needed

        comparison.close(folder)
        _say_what_is_left(prepared)
    if any(_failed(job) for job in returns):
        raise SystemExit(1)
    return [job.return_value for job in returns]


def _jobs(
    grids: Sequence[Sequence[Override]], params: Sequence[str], chosen: str | None, compose: Compose
) -> list[Job]:
    """Every combination, with the sweep's name and the readable part of each run's folder."""
    overrides = [override for grid in grids for override in grid]
    swept = swept_keys(overrides)
    shown = list(dict.fromkeys([*params, *swept])) or [o.get_key_element() for o in overrides]
    named = any(o.get_key_element() == "sweep.name" for o in overrides)
    name = identity.clean(chosen or "_".join(shown)) or "single"
    jobs, found = [], every_job(grids)
    if len(found) > MANY:
        say(f"composing and checking {len(found)} runs …")
    for job in found:
        varied = identity.slug([o for o in job if o.partition("=")[0] in shown])
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


def _refuse_twice(prepared: Sequence[Prepared]) -> None:
    twice = [folder.name for folder, count in Counter(p.folder for p in prepared).items() if count > 1]
    if twice:
        raise UserError(f"the sweep holds the same run twice ({twice[0]}): name each value once")


class Standing(NamedTuple):
    """Where a run of the sweep stands before it starts, and whether this command trains it."""

    state: State
    trained: bool


def _wanted(prepared: Sequence[Prepared], rerun: str) -> dict[Path, Standing]:
    states = {p.folder: of(RunFolder(p.folder)) for p in prepared}
    return {folder: Standing(state, state in RERUN[rerun]) for folder, state in states.items()}


def _say_what_is_left(prepared: Sequence[Prepared]) -> None:
    """Where not every run of this command has ended: what the others are."""
    states = Counter(of(RunFolder(p.folder)) for p in prepared)
    ended = states[State.DONE] + states[State.DIVERGED]
    if ended < len(prepared):
        others = [s for s in states if s not in (State.DONE, State.DIVERGED)]
        left = ", ".join(f"{states[state]} {state.value}" for state in sorted(others))
        say(f"{ended} of {len(prepared)} runs of this command ended, {left}: the same command continues")


def _set_aside(wanted: Mapping[Path, Standing]) -> None:
    """What is to be trained anew, all at once before the first run: a repeated command then continues."""
    for path, standing in wanted.items():
        if standing.trained and standing.state in (State.DONE, State.DIVERGED):
            RunFolder(path).set_aside()


def describe(wanted: Mapping[Path, Standing]) -> str:
    """`6 runs, 2 to train (1 missing, 1 interrupted), 4 left as they are (3 done, 1 diverged)`."""
    trained = Counter(s.state.value for s in wanted.values() if s.trained)
    left = Counter(s.state.value for s in wanted.values() if not s.trained)
    if not left and set(trained) == {State.MISSING}:
        return f"{len(wanted)} runs"
    parts = [f"{len(wanted)} runs"]
    for counts, what in ((trained, "to train"), (left, "left as they are")):
        named = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        parts.append(f"{counts.total()} {what}" + (f" ({named})" if counts else ""))
    return ", ".join(parts)


def _failed(job: JobReturn) -> bool:
    if job.status is JobStatus.FAILED:  # raised outside the run's own record
        say(f"a run failed: {job._return_value}")
        return True
    return job.return_value["status"] == "failed"
