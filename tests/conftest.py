"""Every test works in a home of its own, without a network, without a named corpus."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import settings
from omegaconf import OmegaConf

from tangsweep.files import REPOSITORY
from tangsweep.runs.folder import RunFolder

settings.register_profile("untimed", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("untimed")

SMALL = (
    "corpus=sample",
    "data.poems=12",
    "trainer.max_epochs=2",
    "model.hidden_size=8",
    "model.embed_size=8",
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


def made(path: Path) -> RunFolder:
    """A run's folder that exists, still empty."""
    folder = RunFolder(path)
    folder.prepare()
    return folder


class Ran(NamedTuple):
    result: dict[str, Any]
    folder: RunFolder


@pytest.fixture
def train() -> Iterator[Callable[..., Ran]]:
    """A real run in this process: `train("optimizer=sgd")` on a handful of sample poems."""
    import torch

    from tangsweep.training.prepare import prepare
    from tangsweep.training.run import run

    threads = torch.get_num_threads()

    def one(*overrides: str, base: tuple[str, ...] = (*SMALL, *QUIET)) -> Ran:
        prepared = prepare(configured(*base, *overrides), list(overrides))
        options = prepared.config
        return Ran(run(prepared, options["rerun"], options["unlock"]), RunFolder(prepared.folder))

    yield one
    torch.set_num_threads(threads)
