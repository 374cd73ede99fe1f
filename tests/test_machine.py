"""What is read of the machine, from files of another one."""

import os
import platform
from pathlib import Path

import pytest

from tangsweep import machine

AMD = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9B14\n"


@pytest.fixture
def cpu_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


def test_the_processors_name_and_maker(cpu_info: Path) -> None:
    cpu_info.write_text(AMD, encoding="utf-8")
    assert machine.processor_name() == "AMD EPYC 9B14"
    assert not machine.is_intel()
    cpu_info.write_text("vendor_id : GenuineIntel\nmodel name : unknown\n", encoding="utf-8")
    assert machine.processor_name() == platform.machine()
    assert machine.is_intel()


def test_a_system_that_describes_no_processor(cpu_info: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.read_cpu_info() == ""
    assert machine.processor_name() == platform.machine()
    monkeypatch.setattr(platform, "processor", lambda: "Intel64 Family 6, GenuineIntel")
    assert machine.is_intel()


def test_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert machine.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.usable_cores() == 1


@pytest.mark.parametrize(("content", "cores"), [("250000 100000\n", 2), ("max 100000\n", None), ("", None)])
def test_a_containers_share_of_time(
    content: str, cores: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CONTAINER", tmp_path)
    assert machine.cores_of_container() is None
    (tmp_path / "cpu.max").write_text(content, encoding="ascii")
    assert machine.cores_of_container() == cores
