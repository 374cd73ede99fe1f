"""The runs of a search: one for each setting and seed, and what a run's folder says of a rung."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tangsweep.config import identity
from tangsweep.metrics import METRICS
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import FilledRow, MetricsFile
from tangsweep.runs.record import Scores
from tangsweep.runs.record_file import read_record
from tangsweep.runs.search_log import Setting
from tangsweep.runs.state import State, run_state
from tangsweep.sweep.compose import Composer
from tangsweep.sweep.halving import Rung
from tangsweep.sweep.jobs import Job, PreparedJob
from tangsweep.sweep.phase import checked_configs, pinned_overrides, prepare_runs
from tangsweep.sweep.search_space import Arm, Branch, Space
from tangsweep.tasks.registry import parse_config
from tangsweep.training.prepare import PreparedRun, check_resources, prepare

OF_THE_COMMAND = ("seed", "rerun", "pause_at", "plan")  # keys that the search itself sets


class Probe(NamedTuple):
    """A run that stands for all of a branch, prepared and never trained."""

    run: PreparedRun
    pinned: list[str]  # overrides that were decided for all runs


class SearchRuns:
    """Composes and prepares runs. Raises UserError where an end of a range is no valid value.

    `names` are the overrides that name the sweep; `trains_here` says whether runs must fit this machine.
    """

    def __init__(self, space: Space, composer: Composer, names: Sequence[str], trains_here: bool) -> None:
        self._trains_here = trains_here
        self._arms: Mapping[str, Arm] = {arm.name: arm for arm in space}
        self._composer, self._names = composer, list(names)
        ends = [
            (arm, place, end) for arm in space for place in range(len(arm.branches)) for end in (0.0, 1.0)
        ]
        jobs = [self._probe_job(arm.branches[place], end) for arm, place, end in ends]
        runs = prepare_runs(jobs, checked_configs(jobs, trains_here))
        self._probes: dict[tuple[str, int], Probe] = {}
        for (arm, place, _), job, run in zip(ends, jobs, runs, strict=True):
            self._probes[arm.name, place] = Probe(run, pinned_overrides(job, run)[len(job.overrides) :])

    def _probe_job(self, branch: Branch, end: float) -> Job:
        """Return the job at the lower or the upper ends of all ranges."""
        fraction = math.nextafter(end, 0.0)
        texts = [f"{parameter.key}={parameter.at(fraction)}" for parameter in branch.parameters]
        overrides = [*branch.fixed, *texts, *self._names]
        return Job(overrides, self._composer.plain(overrides))

    @property
    def probes(self) -> list[PreparedRun]:
        """A run of each branch."""
        return [probe.run for probe in self._probes.values()]

    def probe(self, arm: str, branch: int = 0) -> PreparedRun:
        """Return the run that stands for a branch."""
        return self._probes[arm, branch].run

    def job(self, setting: Setting, seed: int) -> PreparedJob:
        """Return the run of a setting and a seed. Raises UserError where it is no valid run."""
        probe = self._probes[setting.arm, setting.branch]
        fixed = [o for o in self._arms[setting.arm].branches[setting.branch].fixed if not _is_own(o)]
        varied = [o for o in fixed if o.partition("=")[0] in self._varied_keys()]
        slug = identity.slug([*varied, *setting.overrides()])
        overrides = [*fixed, *setting.overrides(), f"seed={seed}", f"sweep.varied='{slug}_seed-{seed}'"]
        overrides += [*self._names, *probe.pinned]
        config = parse_config(self._composer.plain(overrides))
        check_resources(config, self._trains_here)
        return PreparedJob(overrides, prepare(config, overrides, probe.run.corpus))

    def _varied_keys(self) -> set[str]:
        """Return the keys of fixed overrides that some branch has otherwise, or not at all."""
        texts: list[set[str]] = [set(branch.fixed) for arm in self._arms.values() for branch in arm.branches]
        return {text.partition("=")[0] for text in texts[0].union(*texts) - texts[0].intersection(*texts)}


def _is_own(override: str) -> bool:
    return override.lstrip("+").partition("=")[0] in OF_THE_COMMAND


def with_rung(job: PreparedJob, rung: Rung) -> PreparedJob:
    """Return the job that trains a run up to a rung, wherever it has been paused before."""
    pause = [f"pause_at={rung.epochs}"] if rung.epochs is not None else []
    return job._replace(overrides=[*job.overrides, "rerun=paused", *pause])


def rung_value(run: PreparedRun, rung: Rung) -> float | None:
    """Return how a run has done up to a rung, lower is better; None: it has not come so far.

    It is the lowest logarithm of the development perplexity of its epochs, or the complement of the highest
    accuracy. It is infinite where the run diverged before.
    """
    folder = RunFolder(run.folder)
    state = run_state(folder)
    if state not in (State.DONE, State.DIVERGED, State.PAUSED):
        return None
    by_accuracy = not METRICS[run.config.corpus.primary.metric].lower_is_better
    rows = [row for row in MetricsFile(folder.metrics).rows() if row["epoch"] and _is_scored(row)]
    last = max((row["epoch"] for row in rows), default=0)
    limit = math.inf if rung.epochs is None else rung.epochs
    if state is State.DONE or last >= limit:
        values = [_row_value(row, by_accuracy) for row in rows if row["epoch"] <= limit]
        return min(values) if values else _record_value(folder, by_accuracy)
    return math.inf if state is State.DIVERGED else None


def _is_scored(row: FilledRow) -> bool:
    return math.isfinite(row.get("val/loss", math.inf))


def _row_value(row: FilledRow, by_accuracy: bool) -> float:
    return 1 - row["val/accuracy"] if by_accuracy else float(row["val/loss"])


def _record_value(folder: RunFolder, by_accuracy: bool) -> float:
    """Return the value in the record of a run that has lost its metrics."""
    record = read_record(folder)
    dev = (record.dev if record else None) or Scores()
    if by_accuracy:
        return math.inf if dev.accuracy is None else 1 - dev.accuracy
    return math.inf if dev.loss is None else dev.loss
