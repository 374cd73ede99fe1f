"""Rankings as tables: to read, and as rows for a CSV file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from tangsweep.report.analysis.ranking import QUALITY, VARIANTS, Ranked, Ranking, seconds_to, thresholds
from tangsweep.report.data.comparability import ComparableRuns
from tangsweep.report.render.blocks import Block, Table
from tangsweep.report.render.formatting import NOTHING, percent, probability, shown, with_interval

BASELINES = ("uniform", "unigram", "bigram")
MEASURED = (
    "100 poems a run: lines of the right length when nothing is asked; neighbouring even lines that rhyme "
    "and positions with the right tone when the form is asked, and * when they are asked too; distinct "
    "n-grams; longest copy and poems with a copied line. docs/poems.md defines them."
)


def beside(ranking: Ranking, epochs: pd.DataFrame) -> list[Block]:
    """What a ranking shows under its first table."""
    return [] if ranking.part.by_accuracy else [_variants(ranking), _times(ranking, epochs)]


def table(ranking: Ranking) -> Table:
    """The ranking itself: scores, intervals, differences."""
    part, groups = ranking
    by_accuracy = part.by_accuracy
    own = {"dev_loss": "dev loss", "last_dev_accuracy": "at end", "solved_step": "solved at"}
    if not by_accuracy:
        own = {"dev_bits_per_character": "bits", "train_perplexity": "train ppl", "gap": "gap, nats"}
    score = "accuracy" if by_accuracy else "dev ppl"
    columns = [
        "group",
        score,
        "seeds",
        "behind the best",
        "p",
        "best epoch",
        *own.values(),
        "characters/s",
        "trouble",
    ]
    rows = [
        [
            group.group,
            shown_score(group, by_accuracy),
            f"{len(group.scores)} of {group.of}",
            _behind(group, by_accuracy),
            probability(group.p),
            shown(group.means.get("best_epoch")),
            *(_own(group, key) for key in own),
            shown(group.means.get("characters_per_second")),
            ", ".join(f"{count} {status}" for status, count in group.failures.items()) or NOTHING,
        ]
        for group in groups
    ]
    return Table(columns, rows, _note(part))


def shown_score(group: Ranked, by_accuracy: bool) -> str:
    """A perplexity with its interval; an accuracy, bounded and often bimodal, with least and largest."""
    if group.score is None or not by_accuracy:
        return with_interval(group.score)
    least, largest = min(group.scores.values()), max(group.scores.values())
    several = f" ({shown(least, True)} to {shown(largest, True)})" if len(group.scores) > 1 else ""
    return shown(group.score.mean, True) + several


def _behind(group: Ranked, by_accuracy: bool) -> str:
    """The difference to the best; of accuracies its mean alone."""
    if group.difference is None:
        return NOTHING
    found = group.difference.interval
    return shown(found.mean, True) if by_accuracy else with_interval(found)


def _own(group: Ranked, key: str) -> str:
    """A mean, and of how many runs where some have none: steps to solve of those that solved it."""
    told = _fine(group.means.get(key))
    solved = sum(step is not None for step in group.solved)
    some = key == "solved_step" and 0 < solved < len(group.solved)
    return f"{told} ({solved} of {len(group.solved)})" if some else told


def _fine(value: float | None) -> str:
    return NOTHING if value is None else (f"{value:.2f}" if abs(value) < 100 else shown(value))


def _note(part: ComparableRuns) -> str:
    mean = "Mean, least and largest" if part.by_accuracy else "Mean ± 95 % t-interval"
    told = f"{mean} over the seeds that have a score; behind the best: "
    told += "mean of the differences seed by seed" + (
        ". What can be solved is ranked by how often it was, then by how soon."
        if part.by_accuracy
        else " and their 95 % t-interval, p of a paired t-test, Holm-corrected."
    )
    known = part.runs.dropna(subset=["uniform"])
    if len(known):
        first = known.iloc[0]
        if part.by_accuracy:
            return f"{told} Guessing: accuracy {1 / first['uniform']:.2g}."
        each = [f"{name} {shown(first[name])}" for name in BASELINES if pd.notna(first[name])]
        told += f" Baselines on the same text: {', '.join(each)}."
    return told


def _variants(ranking: Ranking) -> Table:
    columns = [
        "group",
        "pads counted",
        "mean over sentences",
        "unknown charged",
        "dev ppl at end",
        "train ppl at end",
        "seconds",
    ]
    keys = [*VARIANTS, "last_dev_perplexity", "last_train_perplexity", "seconds"]
    rows = [[group.group, *(shown(group.means.get(key)) for key in keys)] for group in ranking.groups]
    return Table(
        columns,
        rows,
        "Other ways to count, for comparison with published figures: docs/perplexity.md. Means over seeds.",
    )


def _times(ranking: Ranking, epochs: pd.DataFrame) -> Table:
    wanted = thresholds(ranking)
    found: Any = seconds_to(ranking.part, epochs, wanted).set_index(["group", "perplexity"])
    names = [group.group for group in ranking.groups]
    rows = [[name, *(_reached(found.loc[(name, ppl)]) for ppl in wanted)] for name in names]
    columns = ["group", *(f"≤ {shown(ppl)}" for ppl in wanted)]
    return Table(
        columns,
        rows,
        "Seconds of training until an evaluation's perplexity was as low; mean of the runs that got there.",
    )


def _reached(row: Any) -> str:
    if not row["reached"]:
        return NOTHING
    some = "" if row["reached"] == row["runs"] else f" ({row['reached']:.0f} of {row['runs']:.0f})"
    return f"{row['seconds']:.1f}{some}"


def quality_table(ranking: Ranking) -> Table | None:
    """None where no run's poems were measured."""
    if not any("right_lines" in group.means or "free_tones" in group.means for group in ranking.groups):
        return None
    rows = [
        [group.group, *(_quality(key, group.means) for key in QUALITY), with_interval(group.score)]
        for group in ranking.groups
    ]
    return Table(["group", *QUALITY.values(), "dev ppl"], rows, MEASURED)


def _quality(key: str, means: Mapping[str, float]) -> str:
    return shown(means.get(key)) if key == "free_longest_copy" else percent(means.get(key))


def best_runs(ranking: Ranking) -> dict[str, str]:
    """Group → the run with its best score, groups in the ranking's order."""
    part, groups = ranking
    column = "dev_accuracy" if part.by_accuracy else "dev_perplexity"
    found = {}
    for group in groups:
        own = part.runs[(part.runs["group"] == group.group) & part.runs[column].notna()]
        if len(own):
            found[group.group] = str(own.sort_values(column, ascending=not part.by_accuracy).iloc[0]["run"])
    return found


def _reach(group: Ranked, by_accuracy: bool, end: Callable[[Sequence[float]], float]) -> float | None:
    """An end of the interval; of accuracies the least or largest."""
    if group.score is None or len(group.scores) < 2:
        return None
    if by_accuracy:
        return end([*group.scores.values()])
    return group.score.low if end is min else group.score.high


def ranking_rows(ranking: Ranking) -> pd.DataFrame:
    """One row a group, as numbers."""
    rows: list[dict[str, Any]] = []
    for place, group in enumerate(ranking.groups, 1):
        behind = group.difference.interval if group.difference else None
        rows.append(
            {
                "scored_on": ranking.part.title,
                "metric": ranking.part.metric,
                "place": place if group.score else None,
                "group": group.group,
                "mean": group.score.mean if group.score else None,
                "low": _reach(group, ranking.part.by_accuracy, min),
                "high": _reach(group, ranking.part.by_accuracy, max),
                "seeds": len(group.scores),
                "runs": group.of,
                "behind_mean": behind.mean if behind else None,
                "behind_low": behind.low if behind else None,
                "behind_high": behind.high if behind else None,
                "p_holm": group.p,
                "solved": sum(step is not None for step in group.solved) if group.solved else None,
                "could_solve": len(group.solved) or None,
                **group.means,
                **group.failures,
            }
        )
    return pd.DataFrame(rows)
