"""Every test works in a home of its own, without a network, without a named corpus."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import settings
from omegaconf import OmegaConf

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder

if TYPE_CHECKING:
    from tangsweep.config.run_config import AnyConfig
    from tangsweep.training.prepare import PreparedRun

settings.register_profile("untimed", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("untimed")

SMALL = (
    "corpus=sample",
    "data.poems=12",
    "trainer.max_epochs=2",
    "model.hidden_size=8",
    "model.embed_size=8",
)
# The rate of the first epoch is 0.1, that of the second 1e37.
DIVERGES_IN_EPOCH_2 = (
    "scheduler=exponential",
    "~scheduler.gamma",
    "scheduler._target_=torch.optim.lr_scheduler.LinearLR",
    "+scheduler.start_factor=1e-38",
    "+scheduler.total_iters=1",
    "optimizer=sgd",
    "optimizer.lr=1e37",
)
QUIET = ("logger=csv", "poems.starts='山'", "poems.quality=false")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TANGSWEEP_HOME: outputs/ and data/ of this test alone."""
    monkeypatch.setenv("TANGSWEEP_HOME", str(tmp_path))
    for name in ("TANGSWEEP_DATA", "WANDB_MODE", "WANDB_API_KEY", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def tang_folder() -> Path:
    """全唐诗, where a copy is at hand; the tests that need it are skipped elsewhere."""
    named = CORPUS_AT_HAND
    if named is None:
        pytest.skip("no copy of 全唐诗 at hand (TANGSWEEP_DATA)")
    return Path(named)


CORPUS_AT_HAND = os.environ.get("TANGSWEEP_DATA")


def configured(*overrides: str) -> dict[str, Any]:
    """The resolved config as plain values, Hydra's own part left out."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("train", overrides=list(overrides)), resolve=True)
    return config


def parsed(*overrides: str) -> "AnyConfig":
    """Return the typed config of a command line."""
    from tangsweep.tasks.registry import parse_config

    return parse_config(configured(*overrides))


def made(path: Path) -> RunFolder:
    """A run's folder that exists, still empty."""
    folder = RunFolder(path)
    folder.prepare()
    return folder


def prepare(values: dict[str, Any], overrides: Sequence[str] = ()) -> "PreparedRun":
    """The run of a composed config, checked and ready."""
    from tangsweep.tasks.registry import parse_config
    from tangsweep.training import prepare as preparing

    config = parse_config(values)
    preparing.check_resources(config)
    return preparing.prepare(config, overrides)


class Ran(NamedTuple):
    result: dict[str, Any]  # the record, as result.json has it but for infinities
    folder: RunFolder


def train_prepared(prepared: "PreparedRun", rerun: str = "unfinished") -> Ran:
    """Train a prepared run in this process."""
    from tangsweep.training.run import train_run

    outcome = train_run(prepared, rerun)
    result = outcome.record.model_dump(by_alias=True, exclude_unset=True) if outcome.record else {}
    told = {"status": outcome.status, "holder": outcome.holder, "skipped": outcome.skipped}
    return Ran(result | {key: value for key, value in told.items() if value}, RunFolder(prepared.folder))


@pytest.fixture
def train() -> Iterator[Callable[..., Ran]]:
    """A real run in this process: `train("optimizer=sgd")` on a handful of sample poems."""
    import torch

    threads = torch.get_num_threads()

    def one(*overrides: str, base: tuple[str, ...] = (*SMALL, *QUIET)) -> Ran:
        values = configured(*base, *overrides)
        return train_prepared(prepare(values, list(overrides)), values["rerun"])

    yield one
    torch.set_num_threads(threads)


@pytest.fixture
def own_sweeps(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the test that `sweeps=NAME` reads, in the place of the repository's sweeps/."""
    from hydra.core.plugins import Plugins

    Plugins.instance()  # runs the plugins' modules, which would undo the next lines
    from hydra_plugins import tangsweep_sweeps

    monkeypatch.setattr(tangsweep_sweeps, "INSTALLED_FILES", home)
    (home / "sweeps").mkdir(exist_ok=True)
    return home / "sweeps"


class CommandRun(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


RunCommand = Callable[[str], CommandRun]


@pytest.fixture
def run_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[RunCommand]:
    """`run_command("train optimizer=adam")` runs `tangsweep train optimizer=adam` in this process, in `home`."""
    from tangsweep.__main__ import main

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(home)

    def run(line: str) -> CommandRun:
        monkeypatch.setattr(sys, "argv", ["tangsweep", *shlex.split(line)])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # the command sets it; so it is put back
        capfd.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as exit:
            status = exit.code or 0
        assert isinstance(status, int), status
        return CommandRun(status, *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, handler)
