"""How the sweeper asks a launcher for its workers, whether or not the launcher can say."""

from hydra._internal.core_plugins.basic_launcher import BasicLauncher

from hydra_plugins.tangsweep_launcher import PoolConf, PoolLauncher
from hydra_plugins.tangsweep_sweeper import TangsweepSweeper
from tangsweep.sweep.worker_process import PRELOAD


def test_asking_for_the_concurrency_prepares_nothing() -> None:
    sweeper = TangsweepSweeper()
    sweeper.launcher = launcher = PoolLauncher(workers=3, preload=None)
    assert sweeper.concurrency([]) == 3
    assert launcher.environments == []
    sweeper.prepare_workers([])
    assert launcher.environments == [{}, {}, {}]


def test_the_server_that_starts_before_hydra_imports_what_the_launcher_asks_for() -> None:
    assert PoolConf().preload == PRELOAD


def test_a_launcher_without_workers_trains_one_run_at_a_time() -> None:
    sweeper = TangsweepSweeper()
    sweeper.launcher = BasicLauncher()
    sweeper.warm_up()
    sweeper.prepare_workers([])
    assert sweeper.concurrency([]) == 1
