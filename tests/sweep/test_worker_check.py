"""The checks that need torch run in a worker process, and what they find is told here."""

import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tangsweep.console import LineMessage
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.sweep import worker_check, worker_process
from tests.conftest import QUIET, SMALL, configured, parsed, prepare


def check(*overrides: str) -> None:
    config = parsed(*SMALL, *QUIET, *overrides)
    worker_check.check_in_worker(worker_process.process_context(None), [config])


def test_a_mistake_is_raised_here() -> None:
    with pytest.raises(UserError, match=r"did you mean torch.optim.Adam\?"):
        check("optimizer._target_=torch.optim.Adan")


def print_a_line(pipe: Connection, configs: object) -> None:
    pipe.send(LineMessage("no native kernels", None))
    pipe.send(None)


def test_a_line_of_the_worker_is_printed_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker_check, "_check", print_a_line)
    check()
    assert capsys.readouterr().out == "no native kernels\n"


def die(pipe: Connection, configs: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_its_death_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_check, "_check", die)
    with pytest.raises(UserError, match="ended with status -9: free some memory"):
        check()


def test_the_command_itself_never_imports_torch(home: Path) -> None:
    """Neither before the runs nor for the report, once the corpus is encoded, which takes fastNLP."""
    prepare(configured(*SMALL, *QUIET))
    program = (
        "import runpy, sys; sys.argv = ['train.py', *sys.argv[1:]]; "
        f"runpy.run_path({str(REPOSITORY / 'src' / 'train.py')!r}, run_name='__main__'); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    command = [sys.executable, "-c", program, "-m", "optimizer=sgd", *SMALL, *QUIET]
    done = subprocess.run(
        command, env={**os.environ, "TANGSWEEP_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
