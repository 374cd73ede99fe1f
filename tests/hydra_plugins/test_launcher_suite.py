"""Hydra's own test suite for launchers, on the worker pool."""

from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.extra.pytest_plugin import hydra_restore_singletons, hydra_sweep_runner  # noqa: F401
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra's default logging writes a file into the working directory."""
    monkeypatch.chdir(tmp_path)


def test_hydra_discovers_the_launcher() -> None:
    assert "PoolLauncher" in [launcher.__name__ for launcher in Plugins.instance().discover(Launcher)]


@pytest.mark.parametrize(("launcher_name", "overrides"), [("pool", ["hydra.launcher.preload=null"])])
class TestPoolLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(
    ("launcher_name", "overrides"),
    [("pool", ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2", "hydra.launcher.preload=null"])],
)
class TestPoolLauncherBatched(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=pool", "hydra.launcher.workers=1", "hydra.launcher.preload=null"])],
)
class TestPoolLauncherIntegration(IntegrationTestSuite):
    pass
