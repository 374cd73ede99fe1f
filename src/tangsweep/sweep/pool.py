"""A pool of worker processes that run the jobs of a sweep and are replaced when they die."""

import contextlib
import multiprocessing
import pickle
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, SpawnContext
from types import ModuleType
from typing import Protocol

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from tangsweep.console import LineMessage, ProgressMessage
from tangsweep.sweep.hydra_adapter import failed_job
from tangsweep.sweep.worker import JobExited, JobReturned, WorkerMessage, WorkerSetup, run_worker

MAX_ATTEMPTS = 2  # at a job whose worker dies
ProcessContext = ForkServerContext | SpawnContext


class PoolObserver(Protocol):
    """Is notified of what happens to the jobs, which are numbered from 0."""

    def on_job_start(self, job: int) -> None: ...
    def on_line(self, line: str, style: str | None) -> None: ...
    def on_progress(self, job: int, name: str, done: int, steps: float, status: str) -> None: ...
    def on_worker_death(self, job: int, reason: str, will_retry: bool) -> None: ...
    def on_job_end(self, job: int, returned: JobReturn) -> None: ...


def process_context(preload: str | None) -> ProcessContext:
    """Return multiprocessing's `forkserver` context, whose server imports the module `preload`.

    The server starts to import at once, in parallel to what this process does next. Where the system has
    no fork server, the `spawn` context is returned.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload] if preload else [])
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # first, because it would unblock Ctrl-C
    with _starting_processes():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _starting_processes() -> Iterator[None]:
    """Prepare for processes that are started inside the block.

    Ctrl-C, which a terminal sends to every process, is blocked in them. They do not import this process's
    main module again, as multiprocessing would: a user's script need not be guarded against that.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    main_module = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main_module
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Worker:
    """One worker process and the job that it runs."""

    def __init__(self, context: ProcessContext, setup: bytes) -> None:
        self.pipe, child_pipe = context.Pipe()
        self.process = context.Process(target=run_worker, args=(child_pipe, setup), daemon=True)
        with _starting_processes():
            self.process.start()
        child_pipe.close()
        self.job: int | None = None

    def start_job(self, job: int, config: bytes) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # it died while idle; reading its pipe will say so
            self.pipe.send(config)

    def reason_of_death(self) -> str:
        """Describe how a dead process ended."""
        self.process.join()
        code = self.process.exitcode
        if code is not None and code < 0:
            hint = " (what the system does when memory runs out)" if code == -signal.SIGKILL else ""
            return f"its worker was ended by {signal.Signals(-code).name}{hint}"
        return f"its worker exited with status {code}"


class Pool:
    """Runs jobs in worker processes, one for each of `environments`.

    An environment holds the variables that are added to those that the worker inherits. With `fail_fast`
    the first job that fails ends the others.
    """

    def __init__(
        self,
        context: ProcessContext,
        setup: WorkerSetup,
        environments: Sequence[Mapping[str, str]],
        observer: PoolObserver,
        fail_fast: bool = False,
    ) -> None:
        self._context, self._observer, self._fail_fast = context, observer, fail_fast
        self._setups = [
            cloudpickle.dumps(setup._replace(environment={**setup.environment, **environment}))
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
        """Let idle workers exit, interrupt the others, and print the lines that they still send."""
        for worker in self._workers:
            if worker.pipe.closed:
                continue
            if worker.job is None:
                with contextlib.suppress(BrokenPipeError):
                    worker.pipe.send(None)
            elif worker.process.is_alive():
                worker.process.terminate()  # with SIGTERM
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    message: WorkerMessage = worker.pipe.recv()
                    if isinstance(message, LineMessage):
                        self._observer.on_line(message.line, message.style)
            worker.process.join()
