"""`confirm.seeds`: settings are chosen by development scores, and trained with other seeds."""

import contextlib
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tangsweep.config.overrides import varied_keys
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError
from tangsweep.runs.record import Outcome
from tangsweep.sweep.grid import as_list
from tangsweep.sweep.jobs import Job, PreparedJob, with_seed
from tangsweep.sweep.run_sweep import SweepResult, run_sweep
from tangsweep.training.job import train_job
from tests.conftest import QUIET, configured

POEMS = ("corpus=sample", "data.poems=12", "model.hidden_size=4", "model.embed_size=4", *QUIET)
GRID = tuple(itertools.product(("momentum", "sgd"), ("0.01", "0.3"), ("0", "1")))


class Recomposing:
    """A launcher that composes every job from its overrides, and is interrupted before its `stop`-th job."""

    trains_here = True

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.trained: list[str] = []

    def warm_up(self) -> None: ...

    def concurrency(self, configs: Sequence[AnyConfig]) -> int:
        return 1

    def check(self, configs: Sequence[AnyConfig]) -> None: ...

    def prepare_workers(self, configs: Sequence[AnyConfig]) -> None: ...

    def launch(self, jobs: Sequence[PreparedJob]) -> list[Outcome]:
        return [self._train(job) for job in jobs]

    def _train(self, job: PreparedJob) -> Outcome:
        if len(self.trained) == self.stop:
            raise KeyboardInterrupt
        self.trained.append(job.run.name)
        return train_job(configured(*job.overrides), job.overrides)


class Plain:
    """Composes overrides, as a sweep's Composer does."""

    def plain(self, overrides: Sequence[str]) -> Any:
        return configured(*overrides)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Scoring sets torch's threads, as training does."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tune(launcher: Recomposing, *more: str, name: str = "s") -> SweepResult:
    """Run a sweep of two optimizers at two rates with two seeds, confirmed with two others."""
    base = [
        *POEMS,
        "trainer.max_epochs=1",
        f"sweep.name={name}",
        "confirm.seeds=[7,8]",
        "report=false",
        *more,
    ]
    jobs = [
        [*base, f"optimizer={optimizer}", f"optimizer.lr={rate}", f"seed={seed}", "sweep.varied='x'"]
        for optimizer, rate, seed in GRID
    ]
    make_job = partial(with_seed, composer=Plain())  # type: ignore[arg-type]
    return run_sweep([Job(job, configured(*job)) for job in jobs], launcher, make_job=make_job)


def records(result: SweepResult) -> dict[str, dict[str, Any]]:
    """Return every record by its run, without what differs from one time to the next."""
    read = {
        path.name: json.loads((path / "result.json").read_text(encoding="utf-8")) for path in result.folders
    }
    changing = ("seconds", "chars_per_second", "finished", "cost", "wandb", "git", "checksums")
    for record in read.values():
        record["overrides"] = [o for o in record["overrides"] if not o.startswith("sweep.name=")]
    return {run: {k: v for k, v in record.items() if k not in changing} for run, record in read.items()}


def test_the_best_rate_of_each_optimizer_is_trained_with_the_other_seeds(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher = Recomposing()
    result = tune(launcher)
    found = records(result)
    assert len(launcher.trained) == len(found) == 12
    scores: dict[tuple[str, str], list[float]] = {}
    for record in found.values():
        values = dict(o.split("=", 1) for o in record["overrides"])
        if record["seed"] < 2:
            scores.setdefault((values["optimizer"], values["optimizer.lr"]), []).append(
                record["dev"]["known_loss"]
            )
    confirmed = sorted(
        (dict(o.split("=", 1) for o in r["overrides"])["optimizer"],
         dict(o.split("=", 1) for o in r["overrides"])["optimizer.lr"], r["seed"])
        for r in found.values() if r["seed"] > 1
    )  # fmt: skip
    best = [
        min((sum(s), o, lr) for (o, lr), s in scores.items() if o == name)[1:] for name in ("momentum", "sgd")
    ]
    assert confirmed == sorted((optimizer, rate, seed) for optimizer, rate in best for seed in (7, 8))
    assert "is the best of 2 by development score" in capsys.readouterr().out
    again = Recomposing()
    assert records(tune(again)) == found
    assert again.trained == []


@pytest.mark.slow
def test_interrupted_at_random_it_makes_the_same_choice_and_the_same_records(home: Path) -> None:
    undisturbed = records(tune(Recomposing(), name="whole"))
    stops = random.Random(3)
    for _ in range(10):
        with contextlib.suppress(KeyboardInterrupt):
            tune(Recomposing(stops.randint(0, 2)), name="torn")
    result = records(tune(Recomposing(), name="torn"))
    assert result == undisturbed


@pytest.mark.slow
def test_nothing_is_confirmed_before_all_runs_have_ended(home: Path) -> None:
    launcher = Recomposing(stop=7)
    with pytest.raises(KeyboardInterrupt):
        tune(launcher)
    assert len(launcher.trained) == 7
    assert not list((home / "outputs" / "s").glob("*seed-7*"))


def test_a_seed_that_chooses_cannot_confirm(home: Path) -> None:
    with pytest.raises(UserError, match=r"confirm\.seeds=1 is among the seeds that choose"):
        tune(Recomposing(), "confirm.seeds=[1,9]")


def test_a_sweep_that_tunes_nothing_says_so(home: Path) -> None:
    jobs = [
        [
            *POEMS,
            "trainer.max_epochs=1",
            "sweep.name=s",
            "confirm.seeds=[7]",
            "report=false",
            f"optimizer={name}",
        ]
        for name in ("momentum", "sgd")
    ]
    make_job = partial(with_seed, composer=Plain())  # type: ignore[arg-type]
    with pytest.raises(UserError, match="nothing is chosen, because no setting is varied beside"):
        run_sweep([Job(job, configured(*job)) for job in jobs], Recomposing(), make_job=make_job)


def test_a_plan_counts_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune(Recomposing(stop=0), "plan=true")
    assert "then 4 runs confirm the settings that these choose" in capsys.readouterr().out


def test_what_is_compared_and_what_is_tuned() -> None:
    runs = [
        {"optimizer": "adam", "optimizer.lr": "0.1", "data.poems": "9"},
        {"optimizer": "sgd", "optimizer.lr": "1.0", "data.poems": "10"},
        {"optimizer": "sgd", "optimizer.lr": "0.1", "data.poems": "10"},
    ]
    assert varied_keys(runs, None) == (["optimizer", "data.poems"], ["optimizer.lr"])
    assert varied_keys(runs, ["optimizer.lr"]) == (["optimizer.lr"], ["optimizer", "data.poems"])
    assert varied_keys(runs, ["cell"]) == ([], [])
    assert varied_keys(runs[:1], None) == ([], [])
    rates = [{"optimizer.lr": "0.1"}, {"optimizer.lr": "1.0"}]
    assert varied_keys(rates, None) == ([], [])  # nothing is compared for which a rate could be chosen


def test_a_list_on_the_command_line_is_one_value() -> None:
    assert as_list("confirm.seeds=5,6", "confirm.seeds") == "confirm.seeds=[5,6]"
    assert as_list("confirm.seeds=[5,6]", "confirm.seeds") == "confirm.seeds=[5,6]"
    assert as_list("confirm.seeds=5", "confirm.seeds") == "confirm.seeds=[5]"
    assert as_list("seed=5,6", "confirm.seeds") == "seed=5,6"
