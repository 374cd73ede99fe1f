"""Sweeps on a Ray of several nodes, which are processes of this machine: disturbed, their records stay equal."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hydra_plugins.tangsweep_ray import RayEngine
from tangsweep.runs import lock
from tangsweep.sweep.engine import Stage
from tests import engines
from tests.engines import LONG, SENTENCES_OF_OTHERS, SIX, StartedSweep, records, written_once
from tests.slurm_cluster import wait_until

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
MEMORY = 300_000_000  # bytes of a run


class RayCluster:
    """A head without cores, and two nodes with one core each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.nodes = [self.add_node(), self.add_node()]
        self.options = (
            "hydra/launcher=ray", f"hydra.launcher.ray.init.address={self._cluster.address}",
            f"hydra.launcher.ray.remote.memory={MEMORY}",
        )  # fmt: skip

    def add_node(self) -> Any:
        return self._cluster.add_node(num_cpus=1)

    def kill_node(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayCluster]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = RayCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return engines.serial_records(tmp_path_factory.mktemp("long"), LONG)


def test_a_lost_node_and_a_killed_worker(
    cluster: RayCluster, home: Path, long: dict[str, dict[str, Any]]
) -> None:
    sweep = StartedSweep(home, os.environ, LONG, *cluster.options)
    first, _ = sweep.await_epochs(100, runs=2)  # longer than between two looks of the command
    os.kill(json.loads(first.holder.read_text())["pid"], signal.SIGKILL)
    cluster.kill_node(cluster.nodes[1])
    cluster.add_node()
    out = sweep.end()
    assert records(sweep.sweep) == long
    assert not SENTENCES_OF_OTHERS.search(out), out
    assert 1 <= out.count("was lost; it goes on in another") <= 2  # the node may have had the killed worker


def test_a_killed_command(cluster: RayCluster, home: Path, long: dict[str, dict[str, Any]]) -> None:
    sweep = StartedSweep(home, os.environ, LONG, *cluster.options)
    runs = sweep.await_epochs(5, runs=2)
    sweep.kill()
    wait_until(lambda: not any(lock.is_held(run) for run in runs))  # Ray ends the tasks of a dead command
    with written_once(sweep.sweep):
        again = StartedSweep(home, os.environ, LONG, *cluster.options)
        again.end()
    assert records(sweep.sweep) == long


def test_ctrl_c_takes_the_tasks_back(cluster: RayCluster, home: Path) -> None:
    sweep = StartedSweep(home, os.environ, LONG, *cluster.options, "trainer.max_epochs=9999")
    runs = sweep.await_epochs(200, runs=2)  # seconds: the command looks once a second which tasks run
    sweep.interrupt()
    out = sweep.end(status=130)
    assert "Ray is asked to end 2 jobs, 2 of them running" in out
    assert all(run.interrupted.exists() for run in runs)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty folder of a short name: Ray's sockets lie in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_nothing_of_a_ray_of_its_own_is_left(home: Path, temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary), "RAY_USAGE_STATS_ENABLED": "0"}
    shared = set(Path("/dev/shm").iterdir())
    options = ("hydra/launcher=ray", f"hydra.launcher.ray.remote.memory={MEMORY}")
    out = StartedSweep(home, environment, SIX, *options).end()
    assert not SENTENCES_OF_OTHERS.search(out), out
    assert list(temporary.iterdir()) == []
    assert set(Path("/dev/shm").iterdir()) <= shared
    assert {path.name for path in home.iterdir()} == {"outputs", "data"}


def test_two_tasks_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray counts the GPU that it is told of, and gives it by environment: there need not be one."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", raising=False)
    engine = RayEngine({"num_cpus": 2, "num_gpus": 1}, {"num_cpus": 1, "num_gpus": 0.5})
    returned: list[object] = []
    try:
        names = engine.submit([visible_gpus, visible_gpus])  # type: ignore[list-item]
        while names:
            engine.wait(names, 1.0)
            reports = engine.look(names)
            returned += [report.returned for report in reports.values() if report.stage is Stage.ENDED]
            names = [name for name in names if reports[name].stage is not Stage.ENDED]
    finally:
        engine.close()
    assert returned == ["0", "0"]


def visible_gpus() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")
