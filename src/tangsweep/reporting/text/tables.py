"""The tables `runs`, `epochs` and `ranking`, which are written as CSV files."""

from collections.abc import Sequence

import pandas as pd

from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.analysis.statistics import Interval
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.data.groups import differs_between


def run_tables(data: SweepData, rankings: Sequence[Ranking]) -> dict[str, pd.DataFrame]:
    """Return the tables `runs`, `epochs` and `ranking`, which docs/report.md describes."""
    ranking = pd.concat([ranking_rows(ranking) for ranking in rankings] or [pd.DataFrame()])
    return {"runs": _runs_table(data), "epochs": data.epochs, "ranking": ranking}


def _runs_table(data: SweepData) -> pd.DataFrame:
    """Add a column config.KEY to the table `runs` for every key of the config that differs between runs."""
    configs = [data.configs[run] for run in data.runs["run"]]
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if key != "sweep.varied" and differs_between(key, configs)]
    columns = {f"config.{key}": [config.get(key) for config in configs] for key in differing}
    return pd.concat([data.runs, pd.DataFrame(columns, index=data.runs.index)], axis=1)


def ranking_rows(ranking: Ranking) -> pd.DataFrame:
    """Return the rows of ranking.csv, one per group; docs/report.md describes the columns."""
    comparable, rows = ranking.comparable, []
    for place, group in enumerate(ranking.groups, 1):
        rows.append(
            {
                "scored_on": comparable.title,
                "metric": comparable.metric.name,
                "set": comparable.ranked_by.set,
                "known_characters_alone": comparable.ranked_by.known,
                "place": place if group.score else None,
                "group": comparable.full_names.get(group.name, group.name),
                "mean": comparable.shown(group.score.mean) if group.score else None,
                **_ends("", group.interval, group, comparable),
                **_ends("seeds_", group.score, group, comparable),
                "seeds": len(group.scores),
                "runs": group.run_count,
                **_behind(group),
                "p_corrected": group.p,
                "compared": group.compared,
                "solved": sum(s is not None for s in group.solved_steps) if group.solved_steps else None,
                "could_solve": len(group.solved_steps) or None,
                **group.means,
                **group.other_statuses,
            }
        )
    return pd.DataFrame(rows)


def _ends(
    name: str, interval: Interval | None, group: RankedGroup, comparable: ComparableRuns
) -> dict[str, float | None]:
    """Return the ends of an interval; of accuracies the lowest and highest."""
    if comparable.by_accuracy:
        scores, several = [*group.scores.values()], len(group.scores) > 1
        return {
            f"{name}low": min(scores) if several else None,
            f"{name}high": max(scores) if several else None,
        }
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {
        f"{name}low": None if low is None else comparable.shown(low),
        f"{name}high": None if high is None else comparable.shown(high),
    }


def _behind(group: RankedGroup) -> dict[str, float | None]:
    """Return the difference to the first group: nats per character, or accuracy."""
    difference = group.difference_interval
    ends = (difference.mean, difference.low, difference.high) if difference else (None, None, None)
    return dict(zip(("behind_mean", "behind_low", "behind_high"), ends, strict=True))
