"""A pool of worker processes that ask a source for their next job and are replaced when they die."""

import contextlib
import pickle
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing import connection
from typing import Protocol

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from tangsweep import temporary_folder
from tangsweep.console import LineMessage, ProgressMessage
from tangsweep.sweep.hydra_adapter import failed_job
from tangsweep.sweep.worker import JobExited, JobReturned, WorkerMessage, WorkerSetup
from tangsweep.sweep.worker_process import ProcessContext, Worker

MAX_ATTEMPTS = 2  # at a job whose worker dies
GRACE_SECONDS = 10.0  # after a second Ctrl-C, until workers that still run are killed


class PoolObserver(Protocol):
    """Is notified of what happens to the jobs, which are numbered from 0."""

    def on_job_start(self, job: int) -> None: ...
    def on_line(self, line: str, style: str | None) -> None: ...
    def on_progress(self, job: int, name: str, done: float, steps: float, status: str) -> None: ...
    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None: ...
    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


class JobSource(Protocol):
    """Gives a pool its jobs, each as a function that composes its config."""

    def next_job(self) -> Callable[[], DictConfig] | None:
        """Return the next job; None: there is none before one that runs has ended."""

    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


class JobList:
    """A `JobSource` of jobs that are all known beforehand."""

    def __init__(self, jobs: Iterable[Callable[[], DictConfig]]) -> None:
        self._jobs = iter(jobs)

    def next_job(self) -> Callable[[], DictConfig] | None:
        return next(self._jobs, None)

    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


class Pool:
    """Runs jobs in worker processes, one for each of `environments`, which are started when they are needed.

    An environment holds the variables that are added to those that the worker inherits. With `fail_fast`
    the first job that fails ends the others. Workers that still run `grace_seconds` after a second Ctrl-C
    are killed.
    """

    def __init__(
        self,
        context: ProcessContext,
        setup: WorkerSetup,
        environments: Sequence[Mapping[str, str]],
        observer: PoolObserver,
        fail_fast: bool = False,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._context, self._observer, self._fail_fast = context, observer, fail_fast
        self._grace_seconds = grace_seconds
        inherited = setup.environment | temporary_folder.temporary_environment()
        self._setups = [
            cloudpickle.dumps(setup._replace(environment={**inherited, **environment}))
            for environment in environments
        ]
        self._workers: dict[int, Worker] = {}  # by the place of their environment

    def run(self, source: JobSource) -> list[JobReturn]:
        """Run every job of `source` and return the results in order. No worker waits while there is a job.

        Raises SystemExit where a job raises it, after the other jobs were interrupted. A KeyboardInterrupt
        is passed on to the jobs and raised again when they have ended.
        """
        self._source = source
        self._jobs: list[Callable[[], DictConfig]] = []
        self._retries: deque[int] = deque()
        self._attempts: Counter[int] = Counter()
        self._returns: dict[int, JobReturn] = {}
        try:
            self._assign_jobs()
            while any(worker.job is not None for worker in self._workers.values()):
                self._receive_messages()
                self._assign_jobs()
        finally:
            self._shut_down()
        return [self._returns[job] for job in range(len(self._jobs))]

    def _assign_jobs(self) -> None:
        """Give every free worker a job. New workers start up while the jobs' configs are composed."""
        assigned: list[tuple[Worker, int]] = []
        for place, setup in enumerate(self._setups):
            worker = self._workers.get(place)
            if worker is not None and worker.job is not None:
                continue
            job = self._next_job()
            if job is None:
                break
            if worker is None or worker.pipe.closed:
                worker = self._workers[place] = Worker(self._context, setup)
            assigned.append((worker, job))
        for worker, job in assigned:
            self._attempts[job] += 1
            worker.start_job(job, pickle.dumps(self._jobs[job]()))
            self._observer.on_job_start(job)

    def _next_job(self) -> int | None:
        if self._retries:
            return self._retries.popleft()
        compose = self._source.next_job()
        if compose is None:
            return None
        self._jobs.append(compose)
        return len(self._jobs) - 1

    def _receive_messages(self) -> None:
        """Wait for messages, and handle one of each worker that has sent any or has died."""
        ready = connection.wait([worker.pipe for worker in self._workers.values() if not worker.pipe.closed])
        for worker in self._workers.values():
            if worker.pipe.closed or worker.pipe not in ready:
                continue
            try:
                message: WorkerMessage = worker.pipe.recv()
            except (EOFError, OSError):
                self._handle_death(worker)
            else:
                self._handle_message(worker, message)

    def _handle_message(self, worker: Worker, message: WorkerMessage) -> None:
        if isinstance(message, LineMessage):
            self._observer.on_line(message.line, message.style)
        elif isinstance(message, JobExited):
            raise SystemExit(message.code)
        elif isinstance(message, ProgressMessage) and worker.job is not None:
            self._observer.on_progress(worker.job, *message)
        elif isinstance(message, JobReturned) and worker.job is not None:
            job, worker.job = worker.job, None
            self._end_job(job, pickle.loads(message.pickled))

    def _handle_death(self, worker: Worker) -> None:
        """Let the job of a dead worker come next; after its last attempt, let it have failed."""
        reason = worker.reason_of_death()
        worker.pipe.close()
        job, worker.job = worker.job, None
        if job is None:
            return
        will_retry = self._attempts[job] < MAX_ATTEMPTS
        self._observer.on_worker_death(job, reason, will_retry)
        if will_retry:
            self._retries.append(job)
        else:
            self._end_job(job, failed_job(RuntimeError(reason)))

    def _end_job(self, job: int, returned: JobReturn) -> None:
        self._returns[job] = returned
        self._source.on_job_end(job, returned)
        self._observer.on_job_end(job, returned)
        if self._fail_fast and returned.status is JobStatus.FAILED:
            raise SystemExit(1)

    def _shut_down(self) -> None:
        """Let idle workers exit, interrupt the others, and wait for them.

        A second Ctrl-C limits how long: a worker may be stopped, or hang. A third one ends the wait.
        """
        self._ask_workers_to_exit()
        try:
            self._await_workers()
        except KeyboardInterrupt:
            kill = threading.Timer(self._grace_seconds, self._kill_workers)
            kill.start()
            try:
                self._observer.on_line(
                    f"workers that still run in {self._grace_seconds:g} s are killed", None
                )
                self._await_workers()
            finally:
                kill.cancel()
                self._kill_workers()
                for worker in self._workers.values():
                    worker.process.join()
            raise

    def _ask_workers_to_exit(self) -> None:
        for worker in self._workers.values():
            if worker.pipe.closed:
                continue
            if worker.job is None:
                with contextlib.suppress(BrokenPipeError):
                    worker.pipe.send(None)
            elif worker.process.is_alive():
                worker.process.terminate()  # with SIGTERM

    def _await_workers(self) -> None:
        """Print the lines that workers still send, until all of them have ended."""
        running = {worker.pipe: worker for worker in self._workers.values() if not worker.pipe.closed}
        while running:
            for pipe in connection.wait(running):
                assert isinstance(pipe, connection.Connection)
                try:
                    message: WorkerMessage = pipe.recv()
                except (EOFError, OSError):
                    running.pop(pipe).process.join()
                else:
                    if isinstance(message, LineMessage):
                        self._observer.on_line(message.line, message.style)

    def _kill_workers(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
