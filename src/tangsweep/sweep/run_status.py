"""Where the runs of a command stand before it starts, and which of them it trains."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tangsweep.console import print_line
from tangsweep.runs import lock, provenance
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import read_result
from tangsweep.runs.state import ENDED, RERUN, State, run_state, state_at_rest


class RunStatus(NamedTuple):
    """Of one run: its state, whether this command trains it, and the commit that made its record."""

    state: State
    trained: bool
    commit: str | None


Standings = Mapping[Path, RunStatus]


def look_up_runs(folders: Sequence[Path], rerun: str) -> dict[Path, RunStatus]:
    """What each folder's run is, and what `rerun` makes of it."""
    found = {}
    for path in folders:
        state = run_state(RunFolder(path))
        result = read_result(RunFolder(path)) if state in ENDED else None
        commit = result.get("git", {}).get("commit") if result else None
        found[path] = RunStatus(state, state in RERUN[rerun], commit)
    return found


def describe_statuses(standings: Standings) -> str:
    """`6 runs, 2 to train (1 missing, 1 interrupted), 4 left as they are (3 done, 1 diverged)`."""
    trained = Counter(s.state.value for s in standings.values() if s.trained)
    left = Counter(s.state.value for s in standings.values() if not s.trained)
    if not left and set(trained) == {State.MISSING}:
        return f"{len(standings)} runs"
    parts = [f"{len(standings)} runs"]
    for counts, what in ((trained, "to train"), (left, "left as they are")):
        named = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        parts.append(f"{counts.total()} {what}" + (f" ({named})" if counts else ""))
    return ", ".join(parts)


def warn_of_other_commits(standings: Standings) -> None:
    """Count the runs that are left as they are although other code made them."""
    here = provenance.git()["commit"]
    others = [s.commit for s in standings.values() if not s.trained and s.commit not in (None, here)]
    if others:
        commits = ", ".join(sorted({str(commit)[:7] for commit in others}))
        print_line(
            f"{len(others)} of those left were trained at another commit ({commits}); rerun=all trains anew"
        )


def set_aside(standings: Standings, unlock: bool) -> None:
    """What is to be trained anew, all at once before the first run: a repeated command then continues.

    A run that another process took up meanwhile, or has set aside itself, is left alone.
    """
    for path, standing in standings.items():
        if standing.trained and standing.state in ENDED:
            try:
                with lock.hold_lock(RunFolder(path), unlock):
                    if state_at_rest(RunFolder(path)) in ENDED:
                        RunFolder(path).set_aside()
            except lock.LockHeld:
                continue


def say_what_is_left(folders: Sequence[Path]) -> None:
    """Where not every run of this command has ended: what the others are."""
    states = Counter(run_state(RunFolder(path)) for path in folders)
    ended = sum(states[state] for state in ENDED)
    if ended < len(folders):
        others = ", ".join(f"{states[s]} {s.value}" for s in sorted(states) if s not in ENDED)
        print_line(
            f"{ended} of {len(folders)} runs of this command ended, {others}: the same command continues"
        )
