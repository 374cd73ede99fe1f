"""The state of each run before a command starts, and which runs the command trains."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tangsweep.console import print_line
from tangsweep.runs import lock, provenance
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record
from tangsweep.runs.state import ENDED, RERUN, State, is_trained_anew, run_state, state_at_rest


class RunStatus(NamedTuple):
    """A run's state before the command starts."""

    state: State
    trained: bool  # this command trains it
    commit: str | None  # of the code that made its record
    anew: bool = False  # from the beginning, once what it was is set aside


RunStatuses = Mapping[Path, RunStatus]  # by the run's folder


def look_up_runs(folders: Sequence[Path], rerun: str) -> dict[Path, RunStatus]:
    """Return the state of the run in each folder, and whether `rerun` lets this command train it."""
    statuses = {}
    for path in folders:
        state = run_state(RunFolder(path))
        record = read_record(RunFolder(path)) if state in ENDED else None
        commit = record.git.commit if record and record.git else None
        trained = state in RERUN[rerun]
        statuses[path] = RunStatus(state, trained, commit, trained and is_trained_anew(state, rerun))
    return statuses


def describe_statuses(statuses: RunStatuses) -> str:
    """Format as `6 runs, 2 to train (1 missing, 1 interrupted), 4 left as they are (3 done, 1 diverged)`."""
    trained = Counter(s.state.value for s in statuses.values() if s.trained)
    left = Counter(s.state.value for s in statuses.values() if not s.trained)
    if not left and set(trained) == {State.MISSING}:
        return f"{len(statuses)} runs"
    parts = [f"{len(statuses)} runs"]
    for counts, what in ((trained, "to train"), (left, "left as they are")):
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        parts.append(f"{counts.total()} {what}" + (f" ({states})" if counts else ""))
    return ", ".join(parts)


def warn_of_other_commits(statuses: RunStatuses) -> None:
    """Print how many runs are left as they are although another commit made them."""
    here = provenance.git_state().commit
    others = [s.commit for s in statuses.values() if not s.trained and s.commit not in (None, here)]
    if others:
        commits = ", ".join(sorted({str(commit)[:7] for commit in others}))
        print_line(
            f"{len(others)} of those left were trained at another commit ({commits}); rerun=all trains anew"
        )


def set_aside(statuses: RunStatuses, unlock: bool) -> None:
    """Set aside the runs that are to be trained anew.

    All at once, before the first run starts: a repeated command then continues. A run that another process
    has taken up or set aside meanwhile is left alone.
    """
    for path, status in statuses.items():
        if status.anew:
            try:
                with lock.hold_lock(RunFolder(path), unlock):
                    if state_at_rest(RunFolder(path)) is status.state:
                        RunFolder(path).set_aside()
            except lock.LockHeld:
                continue


def print_unfinished(folders: Sequence[Path]) -> None:
    """Print what the runs are that have not ended, where there are any."""
    states = Counter(run_state(RunFolder(path)) for path in folders)
    ended = sum(states[state] for state in ENDED)
    if ended < len(folders):
        others = ", ".join(f"{states[s]} {s.value}" for s in sorted(states) if s not in ENDED)
        print_line(
            f"{ended} of {len(folders)} runs of this command ended, {others}: the same command continues"
        )
