"""The same small sweep on every launcher: in one process, on the worker pool, on a local Ray and on submitit.

And on two hosts that share a folder. test_slow_slurm.py and test_slow_ray.py have clusters.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY
from tests.engines import DIFFER, LONG, serial_records
from tests.engines import records as engine_records
from tests.test_slow_faults import COMMAND

pytestmark = pytest.mark.slow
IN_A_NAMESPACE = ("unshare", "--uts", "--net", "sh", "-c")  # with a hostname and a network of its own
LAUNCHERS = {
    "pool": [],
    "ray": ["hydra.launcher.ray.remote.memory=300000000"],
    "submitit_local": ["hydra.launcher.timeout_min=10"],
}


def sweep(home: Path, launcher: str, *options: str) -> subprocess.CompletedProcess[str]:
    home.mkdir()
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "src" / "train.py"), *COMMAND, "logger=csv",
         f"hydra/launcher={launcher}", *options],
        env={**os.environ, "TANGSWEEP_HOME": str(home), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True, text=True, check=False, cwd=home, timeout=600,
    )  # fmt: skip


def records(home: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    paths = sorted((home / "outputs" / "optimizer_seed").glob("*/result.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:  # type: ignore[type-arg]
    home = tmp_path_factory.mktemp("serial") / "home"
    done = sweep(home, "basic")
    assert done.returncode == 0, done.stderr
    return records(home)


def test_the_slurm_launcher_takes_its_file(home: Path) -> None:
    """There is no cluster here; `plan=true` checks the keys of conf/hydra/launcher/submitit_slurm.yaml."""
    done = sweep(home / "own", "submitit_slurm", "plan=true", "hydra.launcher.partition=long")
    assert done.returncode == 0, done.stderr
    assert "6 of 6 runs to train" in done.stdout


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_records_equal_those_of_one_after_another(
    launcher: str,
    home: Path,
    serial: dict[str, dict],  # type: ignore[type-arg]
) -> None:
    done = sweep(home / "own", launcher, *LAUNCHERS[launcher])
    assert done.returncode == 0, done.stderr
    parallel = records(home / "own")
    assert parallel.keys() == serial.keys()
    assert len(parallel) == 6
    for name, record in parallel.items():
        for key in record.keys() - DIFFER:
            assert record[key] == serial[name][key], (name, key)
    assert "unigram" in done.stdout  # the ranking's note names the baselines
    assert {path.name for path in (home / "own").iterdir()} == {"outputs", "data"}  # nothing of Hydra's


def can_unshare() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*IN_A_NAMESPACE, "hostname x"]).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="namespaces are not permitted here")
def test_two_hosts_share_a_folder(home: Path) -> None:
    alone = serial_records(home / "alone", LONG)
    (home / "shared").mkdir()
    python = [sys.executable, str(REPOSITORY / "src" / "train.py"), *LONG, "hydra.launcher.workers=1"]
    processes = [
        subprocess.Popen(
            [*IN_A_NAMESPACE, f'hostname {host} && exec "$@"', "sh", *python],
            env={**os.environ, "TANGSWEEP_HOME": str(home / "shared")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home,
        )
        for host in ("host-a", "host-b")
    ]  # fmt: skip
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert engine_records(home / "shared" / "outputs" / "seed") == alone
    assert [out.count("best dev ppl") for out in outputs] == [1, 1]  # each trained what the other did not
    assert any(
        f"on host-{other}" in out for other, out in zip("ba", outputs, strict=True)
    )  # and said whose it is
