"""Paths of the project's folders, and files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from tangsweep.errors import UserError
from tangsweep.files import (
    REPOSITORY,
    absolute_path,
    atomic_write,
    data_folder,
    new_output_file,
    outputs_folder,
    read_with_checksum,
    remove_interrupted_writes,
    safe_name,
    user_path,
    write_new_file,
    write_with_checksum,
)


def test_relative_paths_are_relative_to_home_not_to_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert outputs_folder() == home.resolve() / "outputs"
    assert absolute_path("/absolute") == Path("/absolute")
    monkeypatch.delenv("TANGSWEEP_HOME")
    assert data_folder() == REPOSITORY / "data"
    assert (REPOSITORY / "pyproject.toml").exists()


def test_a_path_that_a_user_typed_may_lie_in_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    (elsewhere / "here.txt").touch()
    assert user_path("here.txt").resolve() == elsewhere.resolve() / "here.txt"
    assert user_path("not-here.txt") == home.resolve() / "not-here.txt"


@pytest.mark.parametrize(("name", "safe"), [("lr=3e+38", "lr-3e38"), ("a  b/c", "a-b-c"), ("../x", "x")])
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_an_atomic_write_leaves_one_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", "水")
    atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_full_disk_leaves_the_previous_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    atomic_write(tmp_path / "a", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        atomic_write(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_was_changed_since_it_was_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    assert read_with_checksum(path) is None
    for content in (b"", b"a\nb\n", bytes(range(256))):
        write_with_checksum(path, content)
        assert read_with_checksum(path) == content
        written = path.read_bytes()
        for changed in (written + b"x", written[1:], written.swapcase(), content):
            path.write_bytes(changed)
            assert read_with_checksum(path) is None


def test_only_what_an_interrupted_write_of_the_same_file_left_is_removed(tmp_path: Path) -> None:
    left = [".a[1].ckpt.abcd_123", ".a[1].ckpt.________"]
    others = [
        ".a1.ckpt.abcd_123",
        ".a[1].ckpt.abcd_1234",
        ".a[1].ckpt.ABCD_123",
        "a[1].ckpt.abcd_123",
        "a[1].ckpt",
    ]
    for name in left + others:
        (tmp_path / name).touch()
    remove_interrupted_writes(tmp_path / "a[1].ckpt")
    assert {path.name for path in tmp_path.iterdir()} == set(others)


def test_a_write_into_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        atomic_write(tmp_path / "file" / "a", "x")


def test_an_output_file_is_never_overwritten(tmp_path: Path) -> None:
    path = new_output_file(str(tmp_path / "poems.txt"))
    write_new_file(path, "水")
    with pytest.raises(UserError, match="exists already"):
        new_output_file(str(path))
    with pytest.raises(UserError, match="exists by now"):
        write_new_file(path, "火")
    with pytest.raises(UserError, match="does not exist, make it first"):
        new_output_file(str(tmp_path / "none" / "poems.txt"))
    assert path.read_text(encoding="utf-8") == "水"
