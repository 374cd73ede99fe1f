"""The sweep and its report choose the same settings, whatever the scores are."""

import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tangsweep.reporting.analysis.across_tasks import shared_tasks
from tangsweep.reporting.build import compare_runs
from tangsweep.reporting.data.collect import SweepData, collect
from tangsweep.reporting.data.comparability import comparable_sets
from tangsweep.runs.folder import RunFolder
from tangsweep.sweep.confirm import choose_settings
from tangsweep.training.prepare import PreparedRun
from tests.conftest import QUIET, SMALL, configured, prepare
from tests.reporting.written_sweeps import CORPUS, record

RATES = ("0.3", "0.01", "1.0")  # in no order
GRID = tuple(itertools.product(("momentum", "sgd"), RATES, ("0", "1")))
GROUPS = ("seed", "optimizer", "corpus", "sweep", "confirm")  # of the config, that a report needs here
LOSSES = st.sampled_from([2.0, 2.1, 3.0, 5.0])  # few, so that settings tie
# The losses over all and over known characters; None: no such score, or a run that diverged.
SCORES = st.one_of(st.none(), st.tuples(LOSSES, st.one_of(LOSSES, st.none())), st.tuples(LOSSES, LOSSES))


class Grid:
    """The runs of a sweep; Hypothesis would print a list of them in full."""

    def __init__(self, runs: list[PreparedRun]) -> None:
        self.runs = runs


@pytest.fixture
def grid(home: Path) -> Grid:
    """Runs of two optimizers at three rates with two seeds, prepared and not trained."""
    base = [*SMALL, *QUIET, "sweep.name=s", "confirm.seeds=[7,8]"]
    jobs = [[*base, f"optimizer={o}", f"optimizer.lr={rate}", f"seed={seed}"] for o, rate, seed in GRID]
    prepared = [prepare(configured(*job), job) for job in jobs]
    for run in prepared:
        run.folder.mkdir(parents=True)
        config = {group: run.config.plain[group] for group in GROUPS}
        RunFolder(run.folder).config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return Grid(prepared)


def write_record(run: PreparedRun, score: tuple[float, float | None] | None) -> None:
    """Write the record of a run with these losses, or of one that diverged."""
    values: dict[str, Any] = record(
        None if score is None else math.exp(score[0]), seed=run.config.seed, overrides=run.overrides
    )
    if score is None:
        values |= {"status": "diverged", "dev": None, "train": None, "last": None}
    elif score[1] is not None:
        values["dev"] |= {"known_loss": score[1], "known_perplexity": math.exp(score[1])}
    RunFolder(run.folder).result.write_text(json.dumps(values), encoding="utf-8")


def as_another_task(sweep: Path) -> Path:
    """Copy a sweep as one on another text, so that there are two tasks."""
    other = sweep.with_name("other")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(sweep, other)
    for path in other.glob("*/result.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        values["corpus"] = {**CORPUS, "name": "other", "dev_fingerprint": "other"}
        path.write_text(json.dumps(values), encoding="utf-8")
        config = path.with_name("config.yaml")
        config.write_text(config.read_text(encoding="utf-8").replace("name: sample", "name: other"))
    return other


def rates_across_tasks(data: SweepData) -> list[dict[str, str]]:
    """Return the rate that each competitor has in each task of the report's last section."""
    tasks = shared_tasks(comparable_sets(data.runs), data.configs, data.records, data.epochs)
    group_of = data.runs.groupby("group")["overrides"].first()
    rates = group_of.str.extract(r"optimizer\.lr=(\S+)")[0]
    return [{name: rates[tuned.setting] for name, tuned in task.competitors.items()} for task in tasks]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scores=st.lists(SCORES, min_size=len(GRID), max_size=len(GRID)), turned=st.booleans())
def test_the_sweep_and_the_report_choose_the_same_settings(
    grid: Grid, scores: list[tuple[float, float | None] | None], turned: bool
) -> None:
    runs = grid.runs
    for run, score in zip(runs, scores, strict=True):
        write_record(run, score)
    chosen = {choice.compared: choice.setting for choice in choose_settings(runs[::-1] if turned else runs)}
    sweep = runs[0].folder.parent
    data = collect([sweep])
    with np.errstate(divide="ignore"):  # Bartlett's test of groups whose seeds have equal scores
        tuned = [comparison.tuned for comparison in compare_runs(data) if comparison.tuned]
    if len(chosen) < 2:
        assert not tuned  # one of the optimizers has no run with a score
        return
    assert {value: f"optimizer.{choice.setting}" for value, choice in tuned[0].choices.items()} == chosen
    assert tuned[0].choices.keys() == {"momentum", "sgd"}
    tasks = rates_across_tasks(collect([sweep, as_another_task(sweep)]))
    rates = {value: setting.removeprefix("optimizer.lr=") for value, setting in chosen.items()}
    assert tasks == [rates, rates]
