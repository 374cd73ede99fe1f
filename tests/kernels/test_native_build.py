"""The library is compiled once, by the first process; without a compiler there is a reason."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tangsweep.kernels import native

LOAD = "from tangsweep.kernels import native; print(native.why_unavailable())"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a cache of its own and clear what this process remembers; return the cache folder."""
    monkeypatch.setenv("TANGSWEEP_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    _forget()
    yield tmp_path / "data" / "cache"  # type: ignore[misc]
    _forget()


def _forget() -> None:
    native.load_library.cache_clear()
    native.why_unavailable.cache_clear()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_library_is_compiled_once(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.why_unavailable() is None
    [built] = alone.iterdir()
    before = built.stat().st_mtime_ns
    _forget()
    assert native.why_unavailable() is None
    assert [*alone.iterdir()] == [built] and built.stat().st_mtime_ns == before
    _forget()
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-DOTHER"))
    assert native.why_unavailable() is None
    assert len([*alone.iterdir()]) == 2


def test_a_changed_source_is_compiled_again(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert native.why_unavailable() is None
    copies = [Path(shutil.copy(source, tmp_path)) for source in native.SOURCES]
    monkeypatch.setattr(native, "SOURCES", copies)
    _forget()
    assert native.why_unavailable() is None
    assert len([*alone.iterdir()]) == 1  # where the sources lie is not what they say
    copies[-1].write_text(copies[-1].read_text(encoding="utf-8") + "/* changed */", encoding="utf-8")
    _forget()
    assert native.why_unavailable() is None
    assert len([*alone.iterdir()]) == 2


@pytest.mark.slow
def test_processes_may_compile_at_the_same_time(alone: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", LOAD], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["None"] * 3
    assert len([*alone.iterdir()]) == 1


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert native.why_unavailable() == "no C compiler (cc, gcc, clang) was found"
    _forget()
    monkeypatch.setenv("CC", "nonesuch")
    assert native.why_unavailable() == "no C compiler (nonesuch) was found"


def test_a_compiler_that_fails_says_why(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", script(tmp_path / "cc", "echo 'kernels.c:1: error: no such thing' >&2; exit 1"))
    assert (native.why_unavailable() or "").endswith(
        "cannot compile them (kernels.c:1: error: no such thing)"
    )
    assert not alone.exists() or not [*alone.iterdir()]


def test_without_openmp_one_thread_has_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("cc")
    refuse = f'for a in "$@"; do [ "$a" = -fopenmp ] && {{ echo "error: no openmp" >&2; exit 1; }}; done; exec {real} "$@"'
    monkeypatch.setenv("CC", script(tmp_path / "cc", refuse))
    assert native.why_unavailable() is None


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").write_text("a file, not a folder", encoding="utf-8")
    reason = native.why_unavailable() or ""
    assert "cannot compile them" in reason and "\n" not in reason


def test_a_damaged_library_does_not_crash(alone: Path) -> None:
    def load_in_a_process() -> str:
        return subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True).stdout

    assert load_in_a_process() == "None\n"
    [built] = alone.iterdir()
    built.write_bytes(b"broken")
    assert load_in_a_process() == "None\n"  # the one without OpenMP, under another name
    for path in alone.iterdir():
        path.write_bytes(b"broken")
    assert "cannot compile them" in load_in_a_process()
