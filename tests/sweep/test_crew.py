"""How many workers there are, and what each sees."""

from pathlib import Path
from typing import Any

import pytest

from tangsweep.errors import UserError
from tangsweep.sweep import resources


def config(threads: int = 1, accelerator: str = "cpu") -> Any:
    return [
        {"trainer": {"threads": 1, "accelerator": "cpu"}},
        {"trainer": {"threads": threads, "accelerator": accelerator}},
    ]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_cores", lambda: 8)
    monkeypatch.setattr(resources, "_room", lambda: 5)


@pytest.mark.parametrize(("threads", "workers"), [(1, 5), (2, 4), (4, 2), (8, 1), (16, 1)])
def test_as_many_as_cores_and_memory_hold(machine: None, threads: int, workers: int) -> None:
    assert resources.environments(None, config(threads)) == [{}] * workers


def test_as_many_as_the_user_says(machine: None) -> None:
    assert len(resources.environments(11, config())) == 11


def test_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"hydra\.launcher\.workers=0 makes no sense"):
        resources.check(0)


def test_one_gpu_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-a,5")
    gpu = config(accelerator="gpu")
    seen = [environment["CUDA_VISIBLE_DEVICES"] for environment in resources.environments(None, gpu)]
    assert seen == ["2", "GPU-a", "5"]
    shared = [environment["CUDA_VISIBLE_DEVICES"] for environment in resources.environments(5, gpu)]
    assert shared == ["2", "GPU-a", "5", "2", "GPU-a"]


def test_this_machine() -> None:
    assert 1 <= len(resources.environments(None, config())) <= resources._cores()


def test_a_containers_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "CONTAINER", tmp_path)
    monkeypatch.setattr(resources.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert resources._cores() == 64
    for text, cores in (("max 100000\n", 64), ("350000 100000\n", 3), ("50000 100000\n", 1)):
        (tmp_path / "cpu.max").write_text(text)
        assert resources._cores() == cores
    (tmp_path / "memory.max").write_text(f"{5 << 29}\n")
    (tmp_path / "memory.current").write_text(f"{1 << 28}\n")
    assert resources._room() <= 2
    (tmp_path / "memory.max").write_text("max\n")
    assert resources._room() >= 1
