"""The state of a run, read from its folder."""

from enum import StrEnum

from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record


class State(StrEnum):
    """The state of one run. The first three stand in records of runs that have ended."""

    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    RUNNING = "running"  # a live process holds its lock
    INTERRUPTED = "interrupted"  # stopped by Ctrl-C or SIGTERM
    PAUSED = "paused"  # at the end of the epoch `pause_at`, by itself
    CRASHED = "crashed"  # began, has no record and no lock: killed, or a power failure
    MISSING = "missing"


ENDED = (State.DONE, State.DIVERGED)  # such runs are trained again only on demand

# The runs that each value of `rerun` lets a command train. A running run is never touched.
RERUN = {
    "unfinished": {State.MISSING, State.INTERRUPTED, State.CRASHED, State.FAILED},
    "paused": {State.MISSING, State.INTERRUPTED, State.CRASHED, State.FAILED, State.PAUSED},
    "failed": {State.FAILED},
    "diverged": {State.DIVERGED},
    "all": set(State) - {State.RUNNING},
    "none": {State.MISSING},
}


def is_trained_anew(state: State, rerun: str) -> bool:
    """Return whether a run in `state` that `rerun` trains is first set aside; any other run goes on.

    With every other value than `all`, a run that failed goes on from its last checkpoint.
    """
    return state in ENDED or (state is State.FAILED and rerun == "all")


def run_state(folder: RunFolder) -> State:
    """Return the state of the run in `folder`; it is running where its lock is held."""
    if not folder.path.exists():
        return State.MISSING
    if lock.is_held(folder):
        return State.RUNNING
    return state_at_rest(folder)


def state_at_rest(folder: RunFolder) -> State:
    """Return the state of a run whose lock is free, or is held by the caller.

    A result.json that cannot be read is ignored, so that the run continues from its checkpoint.
    """
    record = read_record(folder)
    if record is not None and record.status in set(State):
        return State(record.status)
    if folder.interrupted.exists():
        return State.INTERRUPTED
    if folder.paused.exists():
        return State.PAUSED
    return State.CRASHED if folder.config.exists() else State.MISSING
