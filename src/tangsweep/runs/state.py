"""The state of a run, read from its folder."""

from enum import StrEnum

from tangsweep.runs import lock
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import read_record


class State(StrEnum):
    """The state of one run; the first three are results."""

    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    RUNNING = "running"  # a live process holds its lock
    INTERRUPTED = "interrupted"  # stopped by Ctrl-C or SIGTERM
    CRASHED = "crashed"  # began, holds no record and no lock: killed, or the power went
    MISSING = "missing"


ENDED = (State.DONE, State.DIVERGED)  # results that are not trained again

# What `rerun=` makes a command train; a run that is running is never touched.
RERUN = {
    "unfinished": {State.MISSING, State.INTERRUPTED, State.CRASHED, State.FAILED},
    "failed": {State.FAILED},
    "diverged": {State.DIVERGED},
    "all": set(State) - {State.RUNNING},
    "none": {State.MISSING},
}


def run_state(folder: RunFolder) -> State:
    """Return the state of the run in `folder`; a lock that is held means running."""
    if not folder.path.exists():
        return State.MISSING
    if lock.is_held(folder):
        return State.RUNNING
    return state_at_rest(folder)


def state_at_rest(folder: RunFolder) -> State:
    """Return the state of a run that nobody trains at this moment, as the holder of its lock sees it.

    A result.json that cannot be read counts for nothing: the run goes on from its checkpoint.
    """
    record = read_record(folder)
    if record is not None and record.status in set(State):
        return State(record.status)
    if folder.interrupted.exists():
        return State.INTERRUPTED
    return State.CRASHED if folder.config.exists() else State.MISSING
