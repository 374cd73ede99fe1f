"""A pool of worker processes that run the jobs of a sweep and are replaced when they die."""

import contextlib
import pickle
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
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
    def on_progress(self, job: int, name: str, done: int, steps: float, status: str) -> None: ...
    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None: ...
    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


class Pool:
    """Runs jobs in worker processes, one for each of `environments`.

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
        self._workers: list[Worker] = []

    def run(self, jobs: Sequence[Callable[[], DictConfig]]) -> list[JobReturn]:
        """Run every job, each given as a function that composes its config, and return the results in order.

        Raises SystemExit where a job raises it, after the other jobs were interrupted. A KeyboardInterrupt
        is passed on to the jobs and raised again when they have ended.
        """
        self._jobs, self._queue = jobs, deque(range(len(jobs)))
        self._attempts: Counter[int] = Counter()
        self._returns: dict[int, JobReturn] = {}
        try:
            self._workers = [Worker(self._context, setup) for setup in self._setups[: len(jobs)]]
            while len(self._returns) < len(jobs):
                self._assign_jobs()
                self._receive_messages()
        finally:
            self._shut_down()
        return [self._returns[job] for job in range(len(jobs))]

    def _assign_jobs(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._queue and not worker.pipe.closed:
                job = self._queue.popleft()
                self._attempts[job] += 1
                worker.start_job(job, pickle.dumps(self._jobs[job]()))
                self._observer.on_job_start(job)

    def _receive_messages(self) -> None:
        """Wait for messages, handle one of each worker that has sent any, and replace dead workers."""
        ready = connection.wait([worker.pipe for worker in self._workers if not worker.pipe.closed])
        for index, worker in enumerate(self._workers):
            if worker.pipe.closed or worker.pipe not in ready:
                continue
            try:
                message: WorkerMessage = worker.pipe.recv()
            except (EOFError, OSError):
                self._handle_death(worker)
                if self._queue:
                    self._workers[index] = Worker(self._context, self._setups[index])
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
        """Put the job of a dead worker first in the queue; after its last attempt, let it have failed."""
        reason = worker.reason_of_death()
        worker.pipe.close()
        job, worker.job = worker.job, None
        if job is None:
            return
        will_retry = self._attempts[job] < MAX_ATTEMPTS
        self._observer.on_worker_death(job, reason, will_retry)
        if will_retry:
            self._queue.appendleft(job)
        else:
            self._end_job(job, failed_job(RuntimeError(reason)))

    def _end_job(self, job: int, returned: JobReturn) -> None:
        self._returns[job] = returned
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
                for worker in self._workers:
                    worker.process.join()
            raise

    def _ask_workers_to_exit(self) -> None:
        for worker in self._workers:
            if worker.pipe.closed:
                continue
            if worker.job is None:
                with contextlib.suppress(BrokenPipeError):
                    worker.pipe.send(None)
            elif worker.process.is_alive():
                worker.process.terminate()  # with SIGTERM

    def _await_workers(self) -> None:
        """Print the lines that workers still send, until all of them have ended."""
        running = {worker.pipe: worker for worker in self._workers if not worker.pipe.closed}
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
        for worker in self._workers:
            worker.process.kill()
