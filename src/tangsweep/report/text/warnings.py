"""What forbids to trust a report, or limits what it says: the warnings on top of it."""

from collections.abc import Sequence

import pandas as pd

from tangsweep.report.analysis.ranking import Ranked, Ranking
from tangsweep.report.analysis.summary import named
from tangsweep.report.data.collect import Collected
from tangsweep.runs.state import ENDED, State

UNFINISHED = [state.value for state in State if state not in (*ENDED, State.FAILED)]


def warnings(found: Collected, rankings: Sequence[Ranking]) -> list[str]:
    """What must not be missed."""
    runs = found.runs
    told = []
    if (runs["corpus"] == "sample").any():
        told.append("The corpus is the bundled sample of 120 poems written for this project, NOT 全唐诗.")
    if len(rankings) > 1:
        told.append(
            f"Runs were scored on {len(rankings)} different texts, splits, vocabularies or tasks: "
            "each has a ranking of its own, and figures of different rankings do not compare."
        )
    told += _missing(found) + _trouble(runs)
    commits = runs["commit"].dropna().unique()
    if len(commits) > 1:
        told.append(f"Runs come from {len(commits)} commits ({', '.join(c[:8] for c in commits)}).")
    if runs["dirty"].eq(True).any():
        told.append(f"{int(runs['dirty'].eq(True).sum())} runs come from a checkout with changes of its own.")
    if (runs["verified"].eq(False)).any():
        told.append("The corpus is not the published edition: checksums differ.")
    groups = [group for ranking in rankings for group in ranking.groups]
    told += _single([group for group in groups if group.scores])
    repeated = sum(group.repeated for group in groups)
    if repeated:
        told.append(f"{repeated} runs have the seed of another run of their group: each seed counts once.")
    if found.unread:
        told.append(f"{len(found.unread)} files could not be read, whole or in part: see the end.")
    return told


def _missing(found: Collected) -> list[str]:
    """Runs that a command asked for and that nobody finds."""
    there = found.runs["sweep"].value_counts()
    asked: dict[str, int] = {}
    for command in found.commands:
        asked[command["sweep"]] = max(asked.get(command["sweep"], 0), command["runs"])
    lacking = {sweep: runs - int(there.get(sweep, 0)) for sweep, runs in asked.items()}
    return [
        f"{count} of the {asked[sweep]} runs that a command asked of {sweep} are missing."
        for sweep, count in lacking.items()
        if count > 0
    ]


def _single(scored: Sequence[Ranked]) -> list[str]:
    """Groups whose mean is one seed's."""
    single = [group.group for group in scored if len(group.scores) == 1]
    if not single:
        return []
    if len(single) == len(scored):
        return ["One seed only: no difference here can be told from luck."]
    return [f"One seed only of {named(single)}: no difference to them can be told from luck."]


def _trouble(runs: pd.DataFrame) -> list[str]:
    counts = runs["status"].value_counts()
    ended_badly = [status for status in ("failed", "diverged") if status in counts]
    told = [f"{counts[status]} of {len(runs)} runs {status}." for status in ended_badly]
    unfinished = {status: int(counts[status]) for status in UNFINISHED if status in counts}
    if unfinished:
        each = ", ".join(f"{count} {status}" for status, count in unfinished.items())
        told.append(f"{sum(unfinished.values())} of {len(runs)} runs have not ended ({each}).")
    return told
