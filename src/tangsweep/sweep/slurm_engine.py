"""Jobs that submitit starts: on a Slurm cluster, or as processes of this machine."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError, pickle_load

from tangsweep.errors import UserError, first_line
from tangsweep.files import display_path
from tangsweep.sweep.engine import JobReport, RemoteJob, RemoteReturn, Stage
from tangsweep.sweep.worker_process import inherited_import_path

EXIT_SECONDS = 10.0  # that a process has to exit after its result
QUEUE_SECONDS = 3.0  # between two looks at Slurm's queue
LOOKS_UNTIL_LOST = 4  # at the queue that do not find a job, until it is given up
SECONDS_UNTIL_SAID = 60.0  # that Slurm does not answer
QUEUE_FORMAT = "%i|%T|%N|%r"  # of squeue: job, state, nodes, reason
# Slurm's states of jobs that are over, and what is told of those that left no result.
ENDED_STATES = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled",
    "COMPLETED": "it left no result",
    "DEADLINE": "its deadline came",
    "FAILED": "it ended without a result, as where memory runs out",
    "NODE_FAIL": "its node failed, and Slurm did not queue it again",
    "OUT_OF_MEMORY": "it needed more memory than it was given: raise hydra.launcher.mem_gb",
    "PREEMPTED": "it was preempted, and Slurm did not queue it again",
    "TIMEOUT": "its time ran out before it could be queued again: raise hydra.launcher.timeout_min",
}
ON_A_NODE = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT")


class SubmititEngine:
    """Processes of this machine."""

    name = "submitit"

    def __init__(self, executor: submitit.AutoExecutor) -> None:
        self._executor = executor
        self._jobs: dict[str, submitit.Job[RemoteReturn]] = {}

    def submit(self, jobs: Sequence[RemoteJob]) -> list[str]:
        """Start the jobs and return their names. Raises UserError where Slurm refuses them."""
        try:
            with inherited_import_path():
                submitted = self._executor.submit_array(list(jobs))
        except (FailedJobError, FailedSubmissionError, subprocess.SubprocessError) as error:
            raise UserError(f"{self.name} refuses the jobs: {first_line(error)}") from error
        self._jobs |= {job.job_id: job for job in submitted}
        return [job.job_id for job in submitted]

    def wait(self, names: Sequence[str], seconds: float) -> None:
        """Wait until a job has left its result, or for `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(
            self._jobs[name].paths.result_pickle.exists() for name in names
        ):
            time.sleep(min(0.2, seconds))

    def look(self, names: Sequence[str]) -> Mapping[str, JobReport]:
        return {name: self._result(name) or self._unfinished(name) for name in names}

    def _result(self, name: str) -> JobReport | None:
        """Return the report of a job that has left a result."""
        path = self._jobs[name].paths.result_pickle
        if not path.exists():
            return None
        kind, value = pickle_load(path)
        if kind == "success":
            shutil.rmtree(path.parent, ignore_errors=True)  # its run's folder has all that matters
            return JobReport(Stage.ENDED, returned=value)
        return JobReport(Stage.ENDED, problem=self._problem(name, str(value).strip().splitlines()[-1]))

    def _unfinished(self, name: str) -> JobReport:
        """Return the report of a job without a result."""
        if self._jobs[name].done():
            return self._result(name) or JobReport(Stage.ENDED, problem=self._problem(name, "it was ended"))
        return JobReport(Stage.RUNNING)

    def _problem(self, name: str, reason: str) -> str:
        return f"{self.name} job {name}: {reason} (its output: {display_path(self._jobs[name].paths.stdout)})"

    def interrupt(self, names: Sequence[str]) -> None:
        for name in names:
            self._jobs[name].cancel(check=False)  # with SIGINT

    def kill(self, names: Sequence[str]) -> None:
        self.interrupt(names)

    def close(self) -> None:
        """Wait until the processes have exited, which follows on their results, and remove what is left."""
        deadline = time.monotonic() + EXIT_SECONDS
        while time.monotonic() < deadline and not all(job.done() for job in self._jobs.values()):
            time.sleep(0.05)
        self._remove_files()

    def _remove_files(self) -> None:
        """Remove what submitit wrote for the jobs together, and its folder where no job left anything."""
        folders = {job.paths.folder.parent for job in self._jobs.values()}
        arrays = {job.job_id.partition("_")[0] for job in self._jobs.values() if "_" in job.job_id}
        for folder in folders:
            for array in arrays:
                shutil.rmtree(folder / array, ignore_errors=True)
            for link in folder.glob(".submission_file_*.sh"):
                if not link.exists():  # it pointed into a folder that is gone
                    link.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a job left its output there
                folder.rmdir()


class QueueRow(NamedTuple):
    """What squeue says of a job."""

    state: str
    node: str
    reason: str  # why it waits


NO_ROW = QueueRow("", "", "")


class SlurmEngine(SubmititEngine):
    """Jobs of a Slurm cluster. Their states come from squeue, which needs no accounting."""

    name = "Slurm"

    def __init__(
        self, executor: submitit.AutoExecutor, print_line: Callable[[str, str | None], None]
    ) -> None:
        super().__init__(executor)
        self._print_line = print_line
        self._queue: Mapping[str, QueueRow] = {}  # by job, of the last look
        self._looked = self._answered = time.monotonic()
        self._is_silent = False  # and that was said
        self._missing: dict[str, int] = {}  # looks that did not find a job
        self._held: set[str] = set()  # jobs that are told to be held

    def look(self, names: Sequence[str]) -> Mapping[str, JobReport]:
        if time.monotonic() - self._looked >= QUEUE_SECONDS:
            self._look_at_queue(names)
            self._looked = time.monotonic()
        return super().look(names)

    def _look_at_queue(self, names: Sequence[str]) -> None:
        """Ask Slurm. As long as it does not answer, what it said last stands."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--format={QUEUE_FORMAT}"]
        try:
            answer = subprocess.run(
                [*command, f"--user={os.getuid()}"], capture_output=True, text=True, check=True, timeout=60
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            if time.monotonic() - self._answered > SECONDS_UNTIL_SAID and not self._is_silent:
                self._is_silent = True
                self._print_line(f"Slurm does not answer ({error}): waiting for it", None)
            return
        self._answered, self._is_silent = time.monotonic(), False
        self._queue = read_queue(answer)
        for name in names:
            row = self._queue.get(name, NO_ROW)
            is_over = not row.state or row.state in ENDED_STATES
            self._missing[name] = self._missing.get(name, 0) + 1 if is_over else 0
            if "held" in row.reason.lower() and name not in self._held:
                self._held.add(name)
                self._print_line(
                    f"Slurm holds job {name} ({row.reason}): scontrol release {name} lets it go on", None
                )

    def _unfinished(self, name: str) -> JobReport:
        """Return the report of a job by the queue. One that is over is given up after some looks only.

        Its result may be on its way through the file system, and it may be queued again.
        """
        state, node, _ = self._queue.get(name, NO_ROW)
        if self._missing.get(name, 0) >= LOOKS_UNTIL_LOST:
            reason = ENDED_STATES.get(state, "it is not in Slurm's queue any more and left no result")
            return JobReport(Stage.ENDED, problem=self._problem(name, reason))
        if state in ON_A_NODE or state in ENDED_STATES:
            return JobReport(Stage.RUNNING, node)
        return JobReport(Stage.QUEUED)

    def interrupt(self, names: Sequence[str]) -> None:
        """Cancel the queued jobs, and send SIGINT to those that run: their runs note that."""
        self._cancel(names, "--state=PENDING")
        self._cancel(names, "--signal=INT")

    def kill(self, names: Sequence[str]) -> None:
        self._cancel(names)

    def close(self) -> None:
        self._remove_files()

    def _cancel(self, names: Sequence[str], *options: str) -> None:
        subprocess.run(["scancel", "--quiet", *options, *names], capture_output=True, check=False)


def read_queue(text: str) -> dict[str, QueueRow]:
    """Return the row of each job that squeue has printed, by the job's name: `12` or `12_3`."""
    rows = [line.strip().split("|") for line in text.splitlines()]
    return {row[0]: QueueRow(*row[1:]) for row in rows if len(row) == 4}
