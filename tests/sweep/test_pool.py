"""Real worker processes on jobs that return, raise, exit and are killed."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict

from tangsweep import console
from tangsweep.sweep import pool
from tangsweep.sweep.hydra_adapter import worker_state
from tangsweep.sweep.worker import WorkerSetup
from tangsweep.sweep.worker_process import process_context


class UnpicklableError(Exception):
    """Can be pickled, and cannot be unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def task(config: DictConfig) -> Any:
    """Behave as `config.what` says."""
    what, marker = config.what, Path(config.marker)
    if what == "raise":
        raise ValueError("on purpose")
    if what == "raise unpicklable":
        raise UnpicklableError("one", "two")
    if what == "exit":
        raise SystemExit(7)
    if what == "die" or (what == "die once" and not marker.exists()):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "wait":
        try:
            console.print_line("waits")
            marker.touch()  # from now on it may be interrupted
            while True:
                os.sched_yield()
        except KeyboardInterrupt:
            marker.with_suffix(".interrupted").touch()
            console.print_line("marked")
            raise
    if what == "stop":
        console.print_line(f"stops {os.getpid()}")
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "wait for":  # until another job has touched the marker
        while not marker.exists():
            os.sched_yield()
        raise SystemExit(7)
    console.print_line(f"{what} done")
    return {"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "what": what}


class RecordingObserver:
    """Records what it is notified of."""

    def __init__(self) -> None:
        self.stop_at = ""
        self.on_each_line: Callable[[str], None] = lambda line: None
        self.lines: list[str] = []
        self.deaths: list[tuple[int, str, bool]] = []
        self.order: list[int] = []

    def on_job_start(self, job: int) -> None: ...
    def on_progress(self, *values: Any) -> None: ...
    def on_line(self, line: str, style: str | None) -> None:
        self.lines.append(line)
        self.on_each_line(line)
        if line == self.stop_at:
            raise KeyboardInterrupt

    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None:
        self.deaths.append((job, reason, will_retry))

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self.order.append(job)


Run = Callable[..., tuple[list[JobReturn], RecordingObserver]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs one job for each word, on one worker for each environment."""
    monkeypatch.chdir(tmp_path)  # where Hydra's default logging writes
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text(
        "what: ''\nmarker: ''\nhydra: {output_subdir: null, sweep: {dir: ., subdir: .}}\n", encoding="utf-8"
    )
    observer = RecordingObserver()

    def jobs(
        *words: str, source: Any = None, environments: Any = ({}, {}), **options: Any
    ) -> tuple[list[JobReturn], RecordingObserver]:
        with initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            master = loader.load_configuration("train", [], RunMode.MULTIRUN)

            def config(word: str) -> DictConfig:
                composed = loader.load_sweep_config(
                    master, [f"what='{word}'", f"marker='{tmp_path / 'marker'}'"]
                )
                with open_dict(composed):
                    composed.hydra.job.id = composed.hydra.job.num = 0
                return composed

            setup = WorkerSetup(HydraContext(loader, _callbacks()), task, worker_state(), {})
            workers_pool = pool.Pool(process_context(None), setup, environments, observer, **options)
            listed = pool.JobList(partial(config, word) for word in words)
            return workers_pool.run(source(partial(partial, config)) if source else listed), observer

    jobs.observer = observer  # type: ignore[attr-defined]
    return jobs


def _callbacks() -> Any:
    from hydra._internal.callbacks import Callbacks

    return Callbacks()


def test_failures_of_other_jobs_do_not_matter(run: Run, tmp_path: Path) -> None:
    returns, observer = run("one", "raise", "die once", "two", "three")
    assert [r.status for r in returns] == [
        JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.COMPLETED,
    ]  # fmt: skip
    assert [r.return_value["what"] for r in returns if r.status is JobStatus.COMPLETED] == [
        "one", "die once", "two", "three",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="on purpose"):
        _ = returns[1].return_value
    assert sorted(observer.order) == [0, 1, 2, 3, 4]  # each ended once
    assert sorted(observer.lines) == ["die once done", "one done", "three done", "two done"]
    [(job, reason, will_retry)] = observer.deaths
    assert (job, will_retry) == (2, True)
    assert reason.startswith("its worker was ended by SIGKILL")
    pids = {r.return_value["pid"] for r in returns if r.status is JobStatus.COMPLETED}
    assert os.getpid() not in pids
    assert len(pids) <= 3  # two workers and the one that took the dead one's place, reused


def test_a_job_that_kills_its_worker_twice_is_given_up(run: Run) -> None:
    returns, observer = run("die", "one", "two", environments=({},))
    assert [r.status for r in returns] == [JobStatus.FAILED, JobStatus.COMPLETED, JobStatus.COMPLETED]
    assert [will_retry for _, _, will_retry in observer.deaths] == [True, False]
    with pytest.raises(RuntimeError, match="SIGKILL"):
        _ = returns[0].return_value


def test_an_exception_that_cannot_be_unpickled_ends_its_own_job_only(run: Run) -> None:
    returns, _ = run("raise unpicklable", "one", "two")
    assert [r.status for r in returns] == [JobStatus.FAILED, JobStatus.COMPLETED, JobStatus.COMPLETED]
    with pytest.raises(RuntimeError, match="one"):
        _ = returns[0].return_value


@pytest.mark.parametrize("word", ["raise", "die"])
def test_fail_fast_ends_with_the_first_failure(run: Any, word: str) -> None:
    with pytest.raises(SystemExit):
        run(word, "one", "two", environments=({},), fail_fast=True)
    assert run.observer.order == [0]


def test_a_job_that_exits_ends_the_sweep_and_interrupts_the_others(run: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as error:
        run("wait", "wait for", "one")
    assert error.value.code == 7
    assert (tmp_path / "marker.interrupted").exists()
    assert run.observer.lines == ["waits", "marked"]  # its last line is received; the third job never began


def test_each_worker_has_its_own_gpu(run: Run) -> None:
    environments = ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"})
    returns, _ = run("one", "two", "three", "four", environments=environments)
    gpus = {r.return_value["pid"]: r.return_value["gpu"] for r in returns}
    assert sorted(set(gpus.values())) == ["3", "5"]
    assert len(gpus) == 2


def test_ctrl_c_is_passed_on_and_waited_for(run: Any, tmp_path: Path) -> None:
    run.observer.stop_at = "waits"
    with pytest.raises(KeyboardInterrupt):
        run("wait", "one", environments=({},))
    assert (tmp_path / "marker.interrupted").exists()
    assert run.observer.lines == ["waits", "marked"]


@pytest.mark.parametrize(
    "again", [pytest.param("a third Ctrl-C", marks=pytest.mark.slow), "the end of the grace time"]
)
def test_a_stopped_worker_is_killed_after_ctrl_c_twice(run: Any, tmp_path: Path, again: str) -> None:
    """Lines of the other worker tell when the second and the third Ctrl-C may come."""
    stopped: list[int] = []

    def press(line: str) -> None:
        if line.startswith("stops"):
            stopped.append(int(line.split()[1]))
            while state_of(stopped[0]) != "T":
                os.sched_yield()
        if {"waits", f"stops {stopped[:1] and stopped[0]}"} == set(run.observer.lines):
            raise KeyboardInterrupt  # the first
        if line == "marked" or (again == "a third Ctrl-C" and line.startswith("workers that still run")):
            raise KeyboardInterrupt

    run.observer.on_each_line = press
    with pytest.raises(KeyboardInterrupt):
        run("wait", "stop", grace_seconds=0 if again == "the end of the grace time" else 3600)
    assert (tmp_path / "marker.interrupted").exists()
    assert state_of(stopped[0]) in ("Z", None)


def state_of(pid: int) -> str | None:
    """The state of a process as `ps` shows it; None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


class Growing:
    """A source whose third job exists only once the first has ended."""

    def __init__(self, make: Callable[[str], Callable[[], DictConfig]]) -> None:
        self.make, self.given, self.ended = make, 0, list[int]()

    def next_job(self) -> Callable[[], DictConfig] | None:
        word = {0: "one", 1: "wait for", 2: "wait"}.get(self.given)
        if word is None or (self.given == 2 and 0 not in self.ended):
            return None
        self.given += 1
        return self.make(word)

    def on_job_end(self, job: int, returned: JobReturn) -> None:
        self.ended.append(job)


def test_a_free_worker_takes_what_another_job_has_brought_up(run: Any) -> None:
    """The second job waits for what the third does, which begins when the first has ended."""
    with pytest.raises(SystemExit) as error:
        run(source=Growing)
    assert error.value.code == 7
    assert run.observer.order == [0]
