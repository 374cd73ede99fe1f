"""Worker processes that share the jobs of a sweep; one that dies costs only the job it had."""

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection
from typing import Any, Protocol

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from tangsweep.sweep.worker import Setup, work

ATTEMPTS = 2  # of a job whose worker dies


class Watcher(Protocol):
    """Who is told what happens; jobs are numbered from 0."""

    def began(self, job: int) -> None: ...
    def said(self, line: str, style: str | None) -> None: ...
    def progressed(self, job: int, name: str, done: int, steps: float, words: str) -> None: ...
    def died(self, job: int, why: str, again: bool) -> None: ...
    def ended(self, job: int, returned: JobReturn) -> None: ...


def started(preload: str | None) -> Any:
    """The way processes are made: forked from a server that has imported `preload`, where there is one.

    The server begins to import at once, beside what this process does next.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload] if preload else [])
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # first: it would lift the mask
    with _deaf():
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes made inside are deaf to Ctrl-C, which a terminal sends to all, until they say otherwise."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """One process and the job that it has."""

    def __init__(self, context: Any, setup: bytes) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, setup), daemon=True)
        with _deaf():
            self.process.start()
        theirs.close()
        self.job: int | None = None

    def take(self, job: int, config: bytes) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # it died while idle, which is seen when it is heard
            self.pipe.send(config)

    def why(self) -> str:
        """How a dead process ended."""
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
        context: Any,
        setup: Setup,
        environments: Sequence[Mapping[str, str]],
        watcher: Watcher,
        fail_fast: bool = False,
    ) -> None:
        self._context, self._watcher, self._fail_fast = context, watcher, fail_fast
        self._setups = [
            cloudpickle.dumps(setup._replace(environment={**setup.environment, **own}))
            for own in environments
        ]
        self._workers: list[Worker] = []

    def run(self, jobs: Sequence[Callable[[], DictConfig]]) -> list[JobReturn]:
        """The jobs' returns in their order.

        Raises SystemExit where a job does, after the other jobs were interrupted; a KeyboardInterrupt
        is passed on to the jobs and raised when they have ended.
        """
        self._configs, self._waiting = jobs, deque(range(len(jobs)))
        self._tries: Counter[int] = Counter()
        self._returns: dict[int, JobReturn] = {}
        try:
            self._workers = [Worker(self._context, setup) for setup in self._setups[: len(jobs)]]
            while len(self._returns) < len(jobs):
                self._hand_out()
                self._hear()
        finally:
            self._dismiss()
        return [self._returns[number] for number in range(len(jobs))]

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._waiting and not worker.pipe.closed:
                number = self._waiting.popleft()
                self._tries[number] += 1
                worker.take(number, pickle.dumps(self._configs[number]()))
                self._watcher.began(number)

    def _hear(self) -> None:
        ready = connection.wait([worker.pipe for worker in self._workers if not worker.pipe.closed])
        for place, worker in enumerate(self._workers):
            if worker.pipe.closed or worker.pipe not in ready:
                continue
            try:
                kind, *values = worker.pipe.recv()
            except (EOFError, OSError):
                self._bury(worker)
                if self._waiting:
                    self._workers[place] = Worker(self._context, self._setups[place])
            else:
                self._take_in(worker, kind, values)

    def _take_in(self, worker: Worker, kind: str, values: list[Any]) -> None:
        if kind == "say":
            self._watcher.said(*values)
        elif kind == "progress" and worker.job is not None:
            self._watcher.progressed(worker.job, *values)
        elif kind == "returned" and worker.job is not None:
            number, worker.job = worker.job, None
            self._end(number, pickle.loads(values[0]))
        elif kind == "left":
            raise SystemExit(values[0])

    def _bury(self, worker: Worker) -> None:
        """A job whose worker died is tried once more, first of those that wait."""
        why = worker.why()
        worker.pipe.close()
        number, worker.job = worker.job, None
        if number is None:
            return
        again = self._tries[number] < ATTEMPTS
        self._watcher.died(number, why, again)
        if again:
            self._waiting.appendleft(number)
        else:
            self._end(number, JobReturn(status=JobStatus.FAILED, _return_value=RuntimeError(why)))

    def _end(self, number: int, returned: JobReturn) -> None:
        self._returns[number] = returned
        self._watcher.ended(number, returned)
        if self._fail_fast and returned.status is JobStatus.FAILED:
            raise SystemExit(1)

    def _dismiss(self) -> None:
        """Idle workers leave; a job that runs is interrupted, and what it still says is heard."""
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
                    if kind == "say":
                        self._watcher.said(*values)
            worker.process.join()
