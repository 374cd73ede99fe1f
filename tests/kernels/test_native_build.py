"""The library is compiled once, by the first process, and again where it is not to be trusted."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tangsweep.kernels import native

QUICK = ("-O0", "-std=gnu11", "-fPIC")  # to compile, not to run
LOAD = "from tangsweep.kernels import native; print(native.why_unavailable())"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a cache of its own and clear what this process remembers; return the libraries' folder."""
    monkeypatch.setenv("TANGSWEEP_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    _forget()
    yield tmp_path / "data" / "cache" / f"kernels-{os.geteuid()}"  # type: ignore[misc]
    _forget()


def _forget() -> None:
    native.load_library.cache_clear()
    native.why_unavailable.cache_clear()


def libraries(folder: Path) -> list[Path]:
    """The libraries; beside each of them lies its checksum, and there is nothing else."""
    names = {path.name for path in folder.iterdir()}
    assert {Path(name).stem for name in names if name.endswith(".so")} == {Path(name).stem for name in names}
    return sorted(folder.glob("*.so"))


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_library_is_compiled_once(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.why_unavailable() is None
    [built] = libraries(alone)
    before = built.stat().st_mtime_ns
    _forget()
    assert native.why_unavailable() is None
    assert libraries(alone) == [built] and built.stat().st_mtime_ns == before
    _forget()
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-DOTHER"))
    assert native.why_unavailable() is None
    assert len(libraries(alone)) == 2


def test_a_changed_source_is_compiled_again(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert native.why_unavailable() is None
    copies = [Path(shutil.copy(source, tmp_path)) for source in native.SOURCES]
    monkeypatch.setattr(native, "SOURCES", copies)
    _forget()
    assert native.why_unavailable() is None
    assert len(libraries(alone)) == 1  # where the sources lie is not what they say
    copies[-1].write_text(copies[-1].read_text(encoding="utf-8") + "/* changed */", encoding="utf-8")
    _forget()
    assert native.why_unavailable() is None
    assert len(libraries(alone)) == 2


@pytest.mark.slow
def test_processes_may_compile_at_the_same_time(alone: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", LOAD], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["None"] * 3
    assert len(libraries(alone)) == 1


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


def halve(library: Path) -> None:
    library.write_bytes(library.read_bytes()[: library.stat().st_size // 2])


def change_code(library: Path) -> None:
    content = library.read_bytes()
    library.write_bytes(content.replace(content[-4096:], bytes(4096)))


DAMAGES = {
    "half of it": halve,
    "other code": change_code,
    "empty": lambda library: library.write_bytes(b""),
    "no checksum": lambda library: library.with_suffix(".sha256").unlink(),
    "another checksum": lambda library: library.with_suffix(".sha256").write_text("0" * 64),
    "others may write to it": lambda library: library.chmod(0o666),
    "others may write to its folder": lambda library: library.parent.chmod(0o777),
}


def test_a_library_that_is_not_to_be_trusted_is_compiled_again(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "FLAGS", QUICK)
    flags = [*QUICK, *native.OPENMP_FLAGS[0]]
    built = native._find_or_compile(native._find_compiler(), flags)
    intact, compiled = built.read_bytes(), []
    monkeypatch.setattr(native, "_compile", lambda *options: compiled.append(options) or intact)
    for count, (name, damage) in enumerate(DAMAGES.items(), start=1):
        damage(built)
        assert native._find_or_compile(native._find_compiler(), flags) == built
        assert (built.read_bytes(), len(compiled)) == (intact, count), name
        assert [stat.S_IMODE(path.stat().st_mode) for path in (built, alone)] == [0o644, 0o700], name
    assert libraries(alone) == [built]
    halve(built)  # to load it would end the process
    code = LOAD.replace("; ", f"; native.FLAGS = {QUICK}; ")
    loading = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (loading.stdout, built.read_bytes()) == ("None\n", intact)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")
def test_what_another_user_owns_is_not_loaded(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "FLAGS", QUICK)
    assert native.why_unavailable() is None
    [built] = libraries(alone)
    os.chown(built, 12345, -1)
    _forget()
    assert native.why_unavailable() is None
    assert built.stat().st_uid == os.geteuid()  # compiled again
    os.chown(alone, 12345, -1)
    _forget()
    assert (native.why_unavailable() or "").endswith("is no folder of this user's own: remove it")
