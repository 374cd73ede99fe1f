"""A sweep from its jobs' overrides to the closing table; the sweeper plugin calls it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from tangsweep import places
from tangsweep.console import say
from tangsweep.errors import UserError
from tangsweep.runs import identity
from tangsweep.sweep.grid import expand, swept_keys
from tangsweep.training.prepare import Prepared, prepare, report_found

Compose = Callable[[list[str]], DictConfig]
Launch = Callable[[list[list[str]]], Sequence[JobReturn]]


def conduct(overrides: Sequence[Override], chosen: str | None, compose: Compose, launch: Launch) -> list[Any]:
    """Check every job, refuse folders that exist, launch, and close with the comparison.

    `chosen` is the sweep file's name, if any. Raises UserError before the first run starts where any
    job is wrong, and SystemExit(1) after the closing table where a run failed.
    """
    jobs, prepared = _prepared(overrides, chosen, compose)
    folder = prepared[0].folder.parent
    _refuse_existing([p.folder for p in prepared])
    report_found(prepared[0])
    say(f"{len(jobs)} runs into {places.shown(folder)}")
    returns: Sequence[JobReturn] = []
    try:
        returns = launch(jobs)
    finally:
        from tangsweep.sweep import comparison  # pandas and Altair, only once there is something to compare

        comparison.close(folder)
    if any(_failed(job) for job in returns):
        raise SystemExit(1)
    return [job.return_value for job in returns]


def _prepared(
    overrides: Sequence[Override], chosen: str | None, compose: Compose
) -> tuple[list[list[str]], list[Prepared]]:
    """Each job's overrides, complete with sweep name, folder slug and the corpus that was found."""
    swept = swept_keys(overrides)
    named = any(o.get_key_element() == "sweep.name" for o in overrides)
    name = identity.clean(chosen or "_".join(swept)) or "single"
    jobs, prepared = [], []
    for job in expand(overrides):
        varied = identity.slug([o for o in job if o.partition("=")[0] in swept])
        job = [*job, f"sweep.varied={varied}", *([] if named else [f"sweep.name={name}"])]
        config: Any = OmegaConf.to_container(_without_hydra(compose(job)), resolve=True)
        ready = prepare(config, job)
        prepared.append(ready)
        # A job must not resolve the corpus again: where the sample stands in now, it does for all.
        jobs.append([*job, f"corpus.name={ready.corpus.name}"])
    return jobs, prepared


def _without_hydra(config: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _refuse_existing(folders: list[Path]) -> None:
    existing = [folder for folder in folders if folder.exists()]
    if existing:
        raise UserError(
            f"{len(existing)} of these {len(folders)} runs lie in {places.shown(existing[0].parent)} "
            f"already ({existing[0].name}{', …' if len(existing) > 1 else ''}) and runs are never "
            "overwritten: remove or rename them, or choose another sweep.name"
        )


def _failed(job: JobReturn) -> bool:
    if job.status is JobStatus.FAILED:  # raised outside the run's own record
        say(f"a run failed: {job._return_value}")
        return True
    return job.return_value["status"] == "failed"
