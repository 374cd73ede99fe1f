"""Sweeps on a real Slurm that is started for these tests: disturbed in every way, their records stay equal."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tangsweep.runs.state import State, run_state
from tests import engines, slurm_cluster
from tests.engines import LONG, SENTENCES_OF_OTHERS, SIX, StartedSweep, records, written_once
from tests.slurm_cluster import SlurmCluster, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(slurm_cluster.why_unavailable()), reason=slurm_cluster.why_unavailable() or "Slurm is there"
    ),
]
ON_SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.mem_gb=1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with slurm_cluster.started(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return engines.serial_records(tmp_path_factory.mktemp("six"), SIX)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return engines.serial_records(tmp_path_factory.mktemp("long"), LONG)


def running(cluster: SlurmCluster, count: int = 1) -> list[str]:
    """Return the names of the running jobs once there are so many."""
    wait_until(lambda: len(cluster.jobs("RUNNING")) >= count)
    return cluster.jobs("RUNNING")


def test_six_runs(cluster: SlurmCluster, home: Path, six: dict[str, dict[str, Any]]) -> None:
    sweep = StartedSweep(home, cluster.environment, SIX, *ON_SLURM)
    out = sweep.end()
    assert records(sweep.sweep) == six
    assert not SENTENCES_OF_OTHERS.search(out), out
    assert out.count("best dev ppl") == 6
    assert {path.name for path in home.iterdir()} == {"outputs", "data"}
    assert {path.name for path in (home / "outputs").iterdir()} == {"optimizer_seed"}  # nothing of submitit


def test_times_that_run_out_and_a_controller_that_is_restarted(
    cluster: SlurmCluster, home: Path, long: dict[str, dict[str, Any]]
) -> None:
    """Slurm sends USR2 before a job's time runs out; submitit then queues the job again."""
    sweep = StartedSweep(home, cluster.environment, LONG, *ON_SLURM)
    sweep.await_epochs(20)
    for job in running(cluster):
        cluster.run("scancel", "--signal=USR2", job)
    wait_until(lambda: cluster.jobs("PENDING"))
    cluster.stop_controller()
    cluster.start_controller()
    out = sweep.end()
    assert records(sweep.sweep) == long
    assert "ended early; it goes on in another" in out
    assert not SENTENCES_OF_OTHERS.search(out), out


def test_a_job_that_is_cancelled(cluster: SlurmCluster, home: Path, long: dict[str, dict[str, Any]]) -> None:
    sweep = StartedSweep(home, cluster.environment, LONG, *ON_SLURM)
    sweep.await_epochs(5, runs=2)
    cluster.run("scancel", running(cluster)[0])
    out = sweep.end(status=1)
    assert "failed: Slurm job" in out
    assert "it was cancelled" in out
    assert len(records(sweep.sweep)) == 1
    with written_once(sweep.sweep):
        StartedSweep(home, cluster.environment, LONG, *ON_SLURM).end()
    assert records(sweep.sweep) == long


def test_a_node_that_is_lost(cluster: SlurmCluster, home: Path, long: dict[str, dict[str, Any]]) -> None:
    sweep = StartedSweep(home, cluster.environment, LONG, *ON_SLURM)
    sweep.await_epochs(5, runs=2)
    cluster.lose_node()
    wait_until(lambda: len(cluster.jobs("PENDING")) == 2)
    cluster.start_node()
    out = sweep.end()
    assert records(sweep.sweep) == long
    assert "ended early; it goes on in another" in out


def test_two_commands_at_once_share_the_runs(
    cluster: SlurmCluster, home: Path, six: dict[str, dict[str, Any]]
) -> None:
    sweeps = [StartedSweep(home, cluster.environment, SIX, *ON_SLURM) for _ in range(2)]
    outputs = [sweep.end() for sweep in sweeps]
    assert records(sweeps[0].sweep) == six
    assert sum(out.count("best dev ppl") for out in outputs) == 6


def test_ctrl_c_takes_the_jobs_back(
    cluster: SlurmCluster, home: Path, long: dict[str, dict[str, Any]]
) -> None:
    sweep = StartedSweep(home, cluster.environment, LONG, *ON_SLURM, "hydra.launcher.array_parallelism=1")
    (run,) = sweep.await_epochs(5)
    sweep.interrupt()
    out = sweep.end(status=130)
    assert "Slurm is asked to end 2 jobs, 1 of them running" in out
    assert not cluster.jobs("PENDING,RUNNING")
    assert run_state(run) is State.INTERRUPTED
    StartedSweep(home, cluster.environment, LONG, *ON_SLURM).end()
    assert records(sweep.sweep) == long


def test_fail_fast_ends_the_other_jobs(cluster: SlurmCluster, home: Path) -> None:
    sweep = StartedSweep(
        home, cluster.environment, LONG, *ON_SLURM, "fail_fast=true", "trainer.max_epochs=9999"
    )
    run, other = sweep.await_epochs(5, runs=2)
    os.kill(json.loads(run.holder.read_text())["pid"], signal.SIGKILL)
    out = sweep.end(status=1)
    assert "Slurm is asked to end 1 jobs, 1 of them running" in out
    assert not cluster.jobs("PENDING,RUNNING")
    assert run_state(other) is State.INTERRUPTED


def test_a_search(cluster: SlurmCluster, home: Path) -> None:
    """Its runs are trained two at a time, up to their rungs, and taken up again as the search decides."""
    values = (
        "optimizer=adam",
        "optimizer.lr=interval(0.001,0.1)",
        "search.trials=3",
        "search.sampler=random",
    )
    rungs = ("search.min_epochs=1", "search.eta=2", "search.at_once=2", "trainer.max_epochs=4")
    command = (*LONG[:1], *LONG[2:], *values, *rungs, "sweep.name=seed")
    sweep = StartedSweep(home, cluster.environment, command, *ON_SLURM)
    sweep.end()
    states = [run_state(run) for run in sweep.runs()]
    assert len(states) == 3
    assert State.DONE in states
    assert set(states) <= {State.DONE, State.PAUSED}
    (done,) = records(sweep.sweep).values()
    alone = StartedSweep(
        home / "alone", os.environ, (*LONG[:1], *LONG[2:]), "hydra/launcher=basic", "trainer.max_epochs=4",
        "sweep.name=seed", "optimizer=adam", next(o for o in done["overrides"] if o.startswith("optimizer.lr=")),
    )  # fmt: skip
    alone.end()
    (undisturbed,) = records(alone.sweep).values()
    assert undisturbed["dev"] == done["dev"]
