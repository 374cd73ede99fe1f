"""The console command `tangsweep`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tangsweep import __main__ as console
from tests.conftest import QUIET, SMALL


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "tangsweep"), *arguments]
    environment = {**os.environ, "TANGSWEEP_HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_usage(arguments: tuple[str, ...], home: Path) -> None:
    done = run(*arguments, home=home)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: tangsweep train|report|generate|demo")


def test_an_unknown_command(home: Path) -> None:
    done = run("trian", home=home)
    assert (done.returncode, done.stderr) == (
        2,
        "error: tangsweep trian does not exist; did you mean train? there are: train, report, generate, demo\n",
    )


@pytest.mark.parametrize("name", console.COMMANDS)
def test_help_of_each_command(name: str, home: Path) -> None:
    done = run(name, "--help", home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
def test_train_report_and_generate(home: Path) -> None:
    trained = run("train", *SMALL, *QUIET, "sweep.name=s", home=home)
    assert trained.returncode == 0, trained.stderr
    [folder] = (home / "outputs" / "s").glob("*/")
    assert run("report", str(folder.parent), home=home).returncode == 0
    poem = run("generate", str(folder), "--start", "山", home=home)
    assert poem.stdout.startswith("山")


def test_a_terminal_is_told_at_once_that_a_command_starts(home: Path) -> None:
    """Its modules take seconds to load."""
    terminal, side = os.openpty()
    command = [str(Path(sys.executable).parent / "tangsweep"), "report", str(home / "nowhere")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=side, check=False)
    os.close(side)
    printed = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert done.returncode == 2 and done.stdout == b""
    assert printed.startswith("starting …\r\nerror: ")
