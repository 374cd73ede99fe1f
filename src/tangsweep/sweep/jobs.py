"""The jobs of a sweep: every combination of the swept values, composed to a config."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override

from tangsweep.config import identity
from tangsweep.console import print_line
from tangsweep.errors import UserError, did_you_mean
from tangsweep.files import safe_name
from tangsweep.sweep.compose import Composer
from tangsweep.sweep.grid import expand_grids, swept_keys
from tangsweep.training.prepare import PreparedRun

MANY_JOBS = 20  # more jobs take seconds to compose


class Job(NamedTuple):
    """One run of a sweep: its overrides, complete, and the config that they compose to."""

    overrides: list[str]
    values: Mapping[str, Any]


class PreparedJob(NamedTuple):
    """A job whose run is checked and ready."""

    overrides: list[str]
    run: PreparedRun


def last_of_each_key(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that count: of a key that is given more than once the last, as Hydra has it.

    Prints which are left out.
    """
    last = {override.lstrip("+~").partition("=")[0]: override for override in overrides}
    left_out = [override for override in overrides if override not in last.values()]
    for override in dict.fromkeys(left_out):
        chosen = last[override.lstrip("+~").partition("=")[0]]
        print_line(f"{override} does not count: {chosen} comes after it")
    return list(last.values())


def compose_jobs(
    grids: Sequence[Sequence[Override]], file_keys: Sequence[str], sweep_file: str | None, composer: Composer
) -> list[Job]:
    """Compose every combination of all `grids`, with the sweep's name and the readable part of each run's
    folder.

    `file_keys` are the keys that the sweep file varies and `sweep_file` is its name, if there is one. Raises
    UserError where nothing is varied that the sweep file, or `sweep.compare`, says is.
    """
    overrides = [override for grid in grids for override in grid]
    named_keys = _named_keys(grids, file_keys)
    name = sweep_name(grids, file_keys, sweep_file)
    combinations = expand_grids(grids)
    if not combinations:
        raise UserError("the sweep has no run: a key is varied over no value")
    if len(combinations) > MANY_JOBS:
        print_line(f"composing and checking {len(combinations)} runs …")
    jobs = []
    for combination in combinations:
        varied = identity.slug([o for o in combination if o.partition("=")[0] in named_keys])
        job = [*combination, f"sweep.varied='{varied}'", *([f"sweep.name='{name}'"] if name else [])]
        jobs.append(Job(job, composer.plain(job)))
    _check_compared(jobs[0], {override.get_key_element().lstrip("+~") for override in overrides})
    composer.save()
    return jobs


def _named_keys(grids: Sequence[Sequence[Override]], file_keys: Sequence[str]) -> list[str]:
    """Return the keys that name the sweep and its runs: those that vary, or where none does, all."""
    overrides = [override for grid in grids for override in grid]
    named_keys = list(dict.fromkeys([*file_keys, *swept_keys(overrides)]))
    return named_keys or [override.get_key_element() for override in overrides]


def sweep_name(
    grids: Sequence[Sequence[Override]], file_keys: Sequence[str], sweep_file: str | None
) -> str | None:
    """Return the name of the sweep's folder; None where an override names it."""
    if any(override.get_key_element() == "sweep.name" for grid in grids for override in grid):
        return None
    return safe_name(sweep_file or "_".join(_named_keys(grids, file_keys))) or "single"


def _check_compared(job: Job, keys: Collection[str]) -> None:
    """Raise UserError where `sweep.compare` names a key that the sweep does not set."""
    sweep = job.values.get("sweep")
    compared = sweep.get("compare") if isinstance(sweep, Mapping) else None
    for key in compared if isinstance(compared, list) else ():
        if key not in keys:
            hint = did_you_mean(str(key), keys).strip()
            raise UserError(
                f"sweep.compare={key} is not varied: {hint or 'name a key that the sweep varies'}"
            )


def with_seed(overrides: Sequence[str], seed: int, composer: Composer) -> Job:
    """Return the job of the same overrides, one of which sets `seed`, with another seed."""
    replaced = [*(o for o in overrides if not o.startswith(("seed=", "sweep.varied="))), f"seed={seed}"]
    varied = next((o.partition("=")[2].strip("'") for o in overrides if o.startswith("sweep.varied=")), "")
    parts = [part for part in varied.split("_") if not part.startswith("seed-")]
    job = [*replaced, f"sweep.varied='{'_'.join([*parts, f'seed-{seed}'])}'"]
    return Job(job, composer.plain(job))
