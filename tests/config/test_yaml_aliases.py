"""YAML whose aliases would fill memory is refused in one line, before Hydra reads it."""

from pathlib import Path

import pytest

from tangsweep.config.yaml_aliases import check_alias_sizes, is_too_large
from tangsweep.errors import UserError
from tangsweep.files import CONFIG_FOLDER, INSTALLED_FILES
from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tests.conftest import RunCommand

LINES = ["lr: 0.1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
LINES += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
BOMB = "\n".join(LINES) + "\n"  # 10^10 values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, True),
        ("\n".join(LINES[:5]), False),  # 10^4 values
        ("a: &a [*a]", True),
        ("a: &a {b: *a}", True),
        ("a: &a 1\nb: *a\n", False),
        ("a: '2 * 3 & 4'\n", False),
        ("a: *unknown &b\n", False),  # no YAML: whoever reads it says so
        ("[" * 10_000 + "&a *a", True),
        ("", False),
    ],
)
def test_sizes_of_aliases(text: str, expected: bool) -> None:
    assert is_too_large(text) == expected


def test_the_files_of_the_project_are_small() -> None:
    check_alias_sizes([CONFIG_FOLDER, INSTALLED_FILES / "sweeps"])


def test_a_file_of_ones_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text(BOMB)
    with pytest.raises(UserError, match=r"mine\.yaml stands for more than 100,000 values") as caught:
        check_alias_sizes([tmp_path])
    assert "\n" not in str(caught.value)


def test_a_command_says_one_line(run_command: RunCommand, home: Path) -> None:
    folder = home / "own" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(BOMB)
    command = run_command(f"train --config-dir {home / 'own'} optimizer=mine corpus=sample")
    assert command.status == 2
    [line] = command.err.splitlines()
    assert "mine.yaml stands for more than 100,000 values, by its aliases" in line


def test_so_is_a_sweep(own_sweeps: Path, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    from tangsweep.sweep import hydra_adapter

    monkeypatch.setattr(hydra_adapter, "INSTALLED_FILES", own_sweeps.parent)
    (own_sweeps / "mine.yaml").write_text(BOMB)
    command = run_command("train sweeps=mine corpus=sample")
    assert (command.status, len(command.err.splitlines())) == (2, 1)
    assert "sweeps/mine.yaml stands for more than" in command.err


def test_the_config_of_a_run_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(BOMB)
    with pytest.raises(ValueError, match="no config"):
        read_config(RunFolder(tmp_path))
