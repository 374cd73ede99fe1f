"""How jobs are given to an engine and followed: an engine that plays a script, and real runs' folders."""

import pickle
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from tangsweep.console import LineMessage
from tangsweep.runs.folder import RunFolder
from tangsweep.sweep import dispatch
from tangsweep.sweep.dispatch import Dispatcher, Progress, read_progress
from tangsweep.sweep.engine import JobReport, RemoteJob, RemoteReturn, Stage
from tangsweep.sweep.hydra_adapter import job_result
from tangsweep.sweep.pool import JobList
from tangsweep.sweep.worker import JobExited, JobReturned
from tests.conftest import Ran, configured, prepare

QUEUED, RUNNING = JobReport(Stage.QUEUED), JobReport(Stage.RUNNING, "node-7")


def ended(value: object, *lines: str, status: JobStatus = JobStatus.COMPLETED) -> JobReport:
    returned = pickle.dumps(JobReturn(status=status, _return_value=value))
    return JobReport(
        Stage.ENDED, returned=RemoteReturn(JobReturned(returned), [LineMessage(line, None) for line in lines])
    )


class ScriptedEngine:
    """Tells of each job what its script says, one report a look; the last report stays."""

    name = "Script"

    def __init__(self, *scripts: Sequence[JobReport]) -> None:
        self.scripts = [list(script) for script in scripts]
        self.batches: list[int] = []
        self.interrupted: list[str] = []
        self.killed: list[str] = []
        self.closed = False

    def submit(self, jobs: Sequence[RemoteJob]) -> list[str]:
        first = sum(self.batches)
        self.batches.append(len(jobs))
        return [str(number) for number in range(first, first + len(jobs))]

    def wait(self, names: Sequence[str], seconds: float) -> None:
        if not names:
            raise AssertionError("nothing to wait for")

    def look(self, names: Sequence[str]) -> Mapping[str, JobReport]:
        reports = {}
        for name in names:
            script = self.scripts[int(name)]
            reports[name] = script.pop(0) if len(script) > 1 else script[0]
        return reports

    def interrupt(self, names: Sequence[str]) -> None:
        self.interrupted += names

    def kill(self, names: Sequence[str]) -> None:
        self.killed += names

    def close(self) -> None:
        self.closed = True


class Log:
    """A DispatchObserver that remembers what it is told."""

    def __init__(self) -> None:
        self.events: dict[str, list[Any]] = defaultdict(list)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **more: self.events[name].append((*args, *more.values()))


def dispatcher(engine: ScriptedEngine, log: Log, **options: Any) -> Dispatcher:
    return Dispatcher(engine, b"", log, **options)  # type: ignore[arg-type]


def jobs(count: int) -> JobList:
    def compose() -> DictConfig:
        return OmegaConf.create({})

    return JobList([compose] * count)


def test_results_come_in_the_order_of_the_jobs() -> None:
    log = Log()
    engine = ScriptedEngine([QUEUED, RUNNING, ended("a", "a is done")], [ended("b")], [RUNNING, ended("c")])
    returns = dispatcher(engine, log).run(jobs(3), [])
    assert [job_result(returned) for returned in returns] == ["a", "b", "c"]
    assert engine.batches == [3]  # at once, so that Slurm makes an array of them
    assert engine.closed
    assert [job for job, _ in log.events["on_job_end"]] == [1, 2, 0]
    assert log.events["on_line"] == [("a is done", None)]
    assert log.events["on_job_start"] == [(2,), (0,)]
    assert log.events["on_queue"][0] == (3,)
    assert log.events["on_queue"][-1] == (0,)


def test_at_most_so_many_jobs_at_once() -> None:
    engine = ScriptedEngine(*[[RUNNING, ended(n)] for n in range(5)])
    returns = dispatcher(engine, Log(), at_once=2).run(jobs(5), [])
    assert engine.batches == [2, 2, 1]
    assert [job_result(returned) for returned in returns] == [0, 1, 2, 3, 4]


def test_a_job_that_is_queued_again_is_told_and_goes_on() -> None:
    log = Log()
    engine = ScriptedEngine([RUNNING, QUEUED, RUNNING, ended("late")])
    assert job_result(dispatcher(engine, log).run(jobs(1), [])[0]) == "late"
    assert log.events["on_worker_death"] == [(0, "its job on node-7 ended early", True)]
    assert log.events["on_job_start"] == [(0,), (0,)]


def test_a_job_without_a_result_has_failed_and_the_others_go_on() -> None:
    lost = JobReport(Stage.ENDED, problem="Slurm job 0: it was cancelled")
    first, second = dispatcher(ScriptedEngine([lost], [RUNNING, ended("b")]), Log()).run(jobs(2), [])
    assert first.status is JobStatus.FAILED
    assert str(job_result(first)) == "Slurm job 0: it was cancelled"
    assert job_result(second) == "b"


@pytest.mark.parametrize(
    ("end", "options"),
    [
        (JobReport(Stage.ENDED, returned=RemoteReturn(JobExited(1), [])), {}),
        (ended(RuntimeError(), status=JobStatus.FAILED), {"fail_fast": True}),
        (JobReport(Stage.ENDED, problem="lost"), {"fail_fast": True}),
    ],
)
def test_a_failure_that_ends_the_sweep_takes_the_other_jobs_back(
    end: JobReport, options: dict[str, Any]
) -> None:
    log, engine = (
        Log(),
        ScriptedEngine([end], [RUNNING, JobReport(Stage.ENDED)], [QUEUED, JobReport(Stage.ENDED)]),
    )
    with pytest.raises(SystemExit) as exit:
        dispatcher(engine, log, **options).run(jobs(3), [])
    assert exit.value.code == 1
    assert engine.interrupted == ["1", "2"]
    assert engine.killed == []
    assert engine.closed
    assert ("Script is asked to end 2 jobs, 0 of them running", None) in log.events["on_line"]


def test_jobs_that_ended_beside_the_one_that_fails_are_not_asked_for_again() -> None:
    engine = ScriptedEngine(
        [JobReport(Stage.ENDED, problem="lost")], [ended("b")], [RUNNING, JobReport(Stage.ENDED)]
    )
    with pytest.raises(SystemExit):
        dispatcher(engine, Log(), fail_fast=True).run(jobs(3), [])
    assert engine.interrupted == ["2"]


class Interrupting(ScriptedEngine):
    """Ctrl-C comes while the command waits, and a second time where `twice`."""

    def __init__(self, *scripts: Sequence[JobReport], twice: bool) -> None:
        super().__init__(*scripts)
        self._waits, self._twice = 0, twice

    def wait(self, names: Sequence[str], seconds: float) -> None:
        self._waits += 1
        if self._waits == 2 or (self._twice and self._waits == 3):
            raise KeyboardInterrupt


def test_ctrl_c_waits_until_the_jobs_have_ended() -> None:
    engine = Interrupting([RUNNING, RUNNING, JobReport(Stage.ENDED)], twice=False)
    with pytest.raises(KeyboardInterrupt):
        dispatcher(engine, Log()).run(jobs(1), [])
    assert engine.interrupted == ["0"]
    assert engine.killed == []


def test_a_second_ctrl_c_kills_them() -> None:
    engine = Interrupting([RUNNING], twice=True)
    with pytest.raises(KeyboardInterrupt):
        dispatcher(engine, Log()).run(jobs(1), [])
    assert engine.killed == ["0"]


def test_jobs_that_do_not_end_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "GRACE_SECONDS", 0.0)
    engine = Interrupting([RUNNING], twice=False)
    with pytest.raises(KeyboardInterrupt):
        dispatcher(engine, Log()).run(jobs(1), [])
    assert engine.killed == ["0"]


def test_progress_is_read_from_the_folder_of_the_run(train: Callable[..., Ran], home: Path) -> None:
    values = configured(
        "corpus=sample", "data.poems=12", "data.batch_size=4", "trainer.max_epochs=4", "logger=csv"
    )
    run = prepare(values, [])
    assert read_progress(run) == Progress(0.0, "starts")
    folder = RunFolder(run.folder)
    folder.path.mkdir(parents=True)
    head = "step,epoch,val/loss,val/bits_per_character,val/perplexity,val/accuracy\n"
    folder.metrics.write_text(f"{head}3,1,,,,\n")
    assert read_progress(run) == Progress(0.0, "step 3")
    folder.metrics.write_text(f"{head}3,1,,,,\n10,1,5.0,7.2,148.4,0.1\n15,2,,,,\n")
    assert read_progress(run) == Progress(1.5 / 4, "epoch 1  dev ppl 148.4 (7.20 bits)  step 15")


def test_the_lock_of_a_run_says_that_it_runs_where_the_engine_cannot(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare(configured("corpus=sample", "data.poems=12", "logger=csv"), [])
    held = iter([False, True, False])
    monkeypatch.setattr(dispatch.lock, "is_held", lambda folder: next(held))
    started, log = JobReport(Stage.STARTED), Log()
    dispatcher(ScriptedEngine([started, started, started, ended("a")]), log).run(jobs(1), [run])
    assert log.events["on_job_start"] == [(0,)]  # seen once, and not asked again: it is let go before the end
    assert log.events["on_worker_death"] == []


def test_a_run_that_another_process_takes_over_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepare(configured("corpus=sample", "data.poems=12", "logger=csv"), [])
    holders = iter(["process 1 on a", "process 1 on a", "process 2 on b"])
    monkeypatch.setattr(dispatch.lock, "is_held", lambda folder: True)
    monkeypatch.setattr(dispatch.lock, "describe_holder", lambda folder: next(holders))
    started, log = JobReport(Stage.STARTED), Log()
    dispatcher(ScriptedEngine([started, started, started, ended("a")]), log).run(jobs(1), [run])
    assert log.events["on_worker_death"] == [(0, "process 1 on a was lost", True)]
