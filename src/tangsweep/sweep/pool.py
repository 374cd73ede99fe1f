"""Worker processes that share the jobs of a sweep; one that dies costs only the job it had."""

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.context import BaseContext
from typing import Any, Protocol

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from tangsweep.sweep.worker import WorkerSetup, run_worker

MAX_ATTEMPTS = 2  # of a job whose worker dies


class PoolObserver(Protocol):
    """Receives what happens to the jobs, which are numbered from 0."""

    def on_job_start(self, job: int) -> None: ...
    def on_line(self, line: str, style: str | None) -> None: ...
    def on_progress(self, job: int, name: str, done: int, steps: float, status: str) -> None: ...
    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None: ...
    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


def start_method(preload: str | None) -> BaseContext:
    """Return the way to make processes: forked from a server that has imported `preload`, where there is one.

    The server begins to import at once, beside what this process does next.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload] if preload else [])
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # first: it would lift the mask
    with _ctrl_c_blocked():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C, which a terminal sends to all processes, in processes that are made inside the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """One process and the job that it has."""

    def __init__(self, context: Any, setup: bytes) -> None:
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(target=run_worker, args=(child_pipe, setup), daemon=True)
        with _ctrl_c_blocked():
            self.process.start()
        child_pipe.close()
        self.job: int | None = None

    def start_job(self, job: int, config: bytes) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # it died while idle, which the next message shows
            self.pipe.send(config)

    def reason_of_death(self) -> str:
        """Return how a dead process ended."""
        self.process.join()
        code = self.process.exitcode
        if code is not None and code < 0:
            killed = " (what the system does when memory runs out)" if code == -signal.SIGKILL else ""
            return f"its worker was ended by {signal.Signals(-code).name}{killed}"
        return f"its worker exited with status {code}"


class Pool:
    """Runs jobs on as many workers as `environments`, which are added to what the workers inherit."""

    def __init__(
        self,
        context: BaseContext,
        setup: WorkerSetup,
        environments: Sequence[Mapping[str, str]],
        observer: PoolObserver,
        fail_fast: bool = False,
    ) -> None:
        self._context, self._observer, self._fail_fast = context, observer, fail_fast
        self._setups = [
            cloudpickle.dumps(setup._replace(environment={**setup.environment, **own}))
            for own in environments
        ]
        self._workers: list[Worker] = []

    def run(self, jobs: Sequence[Callable[[], DictConfig]]) -> list[JobReturn]:
        """Return the jobs' results in their order.

        Raises SystemExit where a job does, after the other jobs were interrupted. A KeyboardInterrupt is
        passed on to the jobs and raised when they have ended.
        """
        self._configs, self._waiting = jobs, deque(range(len(jobs)))
        self._attempts: Counter[int] = Counter()
        self._returns: dict[int, JobReturn] = {}
        try:
            self._workers = [Worker(self._context, setup) for setup in self._setups[: len(jobs)]]
            while len(self._returns) < len(jobs):
                self._assign_jobs()
                self._receive_messages()
        finally:
            self._shut_down()
        return [self._returns[number] for number in range(len(jobs))]

    def _assign_jobs(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._waiting and not worker.pipe.closed:
                number = self._waiting.popleft()
                self._attempts[number] += 1
                worker.start_job(number, pickle.dumps(self._configs[number]()))
                self._observer.on_job_start(number)

    def _receive_messages(self) -> None:
        ready = connection.wait([worker.pipe for worker in self._workers if not worker.pipe.closed])
        for place, worker in enumerate(self._workers):
            if worker.pipe.closed or worker.pipe not in ready:
                continue
            try:
                kind, *values = worker.pipe.recv()
            except (EOFError, OSError):
                self._handle_death(worker)
                if self._waiting:
                    self._workers[place] = Worker(self._context, self._setups[place])
            else:
                self._handle_message(worker, kind, values)

    def _handle_message(self, worker: Worker, kind: str, values: list[Any]) -> None:
        if kind == "line":
            self._observer.on_line(*values)
        elif kind == "progress" and worker.job is not None:
            self._observer.on_progress(worker.job, *values)
        elif kind == "returned" and worker.job is not None:
            number, worker.job = worker.job, None
            self._end_job(number, pickle.loads(values[0]))
        elif kind == "exited":
            raise SystemExit(values[0])

    def _handle_death(self, worker: Worker) -> None:
        """Try a job whose worker died once more, first of those that wait."""
        reason = worker.reason_of_death()
        worker.pipe.close()
        number, worker.job = worker.job, None
        if number is None:
            return
        will_retry = self._attempts[number] < MAX_ATTEMPTS
        self._observer.on_worker_death(number, reason, will_retry)
        if will_retry:
            self._waiting.appendleft(number)
        else:
            self._end_job(number, JobReturn(status=JobStatus.FAILED, _return_value=RuntimeError(reason)))

    def _end_job(self, number: int, returned: JobReturn) -> None:
        self._returns[number] = returned
        self._observer.on_job_end(number, returned)
        if self._fail_fast and returned.status is JobStatus.FAILED:
            raise SystemExit(1)

    def _shut_down(self) -> None:
        """Let idle workers exit and interrupt the others; lines that they still print are shown."""
        for worker in self._workers:
            if worker.pipe.closed:
                continue
            if worker.job is None:
                with contextlib.suppress(BrokenPipeError):
                    worker.pipe.send(None)
            elif worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGTERM)
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    kind, *values = worker.pipe.recv()
                    if kind == "line":
                        self._observer.on_line(*values)
            worker.process.join()
