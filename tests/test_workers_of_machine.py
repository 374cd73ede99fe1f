"""How many workers there are, and what each sees."""

from pathlib import Path

import pytest

from tangsweep import machine
from tangsweep.errors import UserError


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cores", lambda: 8)
    monkeypatch.setattr(machine, "_workers_in_memory", lambda: 5)


@pytest.mark.parametrize(("threads", "workers"), [(1, 5), (2, 4), (4, 2), (8, 1), (16, 1)])
def test_as_many_as_cores_and_memory_hold(eight_cores: None, threads: int, workers: int) -> None:
    assert machine.worker_environments(None, False, threads) == [{}] * workers


def test_as_many_as_the_user_says(eight_cores: None) -> None:
    assert len(machine.worker_environments(11, False, 1)) == 11


def test_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"hydra\.launcher\.workers=0 is invalid"):
        machine.check_workers(0)


def test_one_gpu_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-a,5")
    seen = [environment["CUDA_VISIBLE_DEVICES"] for environment in machine.worker_environments(None, True, 1)]
    assert seen == ["2", "GPU-a", "5"]
    shared = [environment["CUDA_VISIBLE_DEVICES"] for environment in machine.worker_environments(5, True, 1)]
    assert shared == ["2", "GPU-a", "5", "2", "GPU-a"]


def test_this_machine() -> None:
    assert 1 <= len(machine.worker_environments(None, False, 1)) <= machine._cores()


def test_a_containers_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert machine._cores() == 64
    for text, cores in (("max 100000\n", 64), ("350000 100000\n", 3), ("50000 100000\n", 1)):
        (tmp_path / "cpu.max").write_text(text)
        assert machine._cores() == cores
    (tmp_path / "memory.max").write_text(f"{5 << 29}\n")
    (tmp_path / "memory.current").write_text(f"{1 << 28}\n")
    assert machine._workers_in_memory() <= 2
    assert machine.free_memory() <= (5 << 29) - (1 << 28)
    (tmp_path / "memory.current").write_text(f"{5 << 29}\n")
    (tmp_path / "memory.stat").write_text(f"anon 7\nactive_file 9\ninactive_file {1 << 20}\n")
    assert machine.free_memory() == 1 << 20  # the system's cache of files is as good as free
    (tmp_path / "memory.max").write_text("max\n")
    assert machine._workers_in_memory() >= 1
