"""A ranking as tables to read and as rows of ranking.csv."""

from collections.abc import Callable, Sequence

import pandas as pd

from tangsweep.baselines import BASELINES
from tangsweep.reporting.analysis.ranking import (
    RankedGroup,
    Ranking,
    perplexity_thresholds,
    seconds_to_reach,
)
from tangsweep.reporting.blocks import Block, Section, Table
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.reporting.formatting import (
    MISSING,
    format_accuracy,
    format_group_score,
    format_interval,
    format_p_value,
    format_quantity,
    format_statuses,
    format_two_decimals,
)

# Headings of the ranking; the terminal prints some of the columns.
GROUP, SEEDS, BEST_EPOCH = "group", "seeds with a score", "best epoch"
PERPLEXITY, ACCURACY = "development perplexity", "accuracy"
TRAINING_PERPLEXITY, LAST_ACCURACY = "training perplexity", "accuracy at last epoch"
SOLVED_STEP, OTHER_STATUSES = "steps to solve", "diverged, failed or unfinished"
PERPLEXITY_COLUMNS = {
    "dev_bits_per_character": "bits per character",
    "train_perplexity": TRAINING_PERPLEXITY,
    "gap": "development minus training loss (nats)",
}
ACCURACY_COLUMNS = {
    "dev_loss": "development loss (nats)",
    "last_dev_accuracy": LAST_ACCURACY,
    "solved_step": SOLVED_STEP,
}
VARIANT_COLUMNS = {
    "dev_perplexity_padded": "perplexity with padding counted",
    "dev_perplexity_mean_over_sentences": "mean of sentence perplexities",
    "dev_perplexity_oov_charged": "perplexity with unknown characters charged",
    "last_dev_perplexity": "development perplexity at last epoch",
    "last_train_perplexity": "training perplexity at last epoch",
    "seconds": "training seconds",
}


def ranking_section(data: SweepData, ranking: Ranking) -> Section:
    """Return the ranking; of perplexities also other ways to count, and the time to reach some of them."""
    blocks: list[Block] = [ranking_table(ranking)]
    if not ranking.comparable.by_accuracy:
        epochs = data.epochs[data.epochs["run"].isin(ranking.comparable.runs["run"])]
        blocks += [_variant_table(ranking), _time_table(ranking, epochs)]
    return Section("Ranking", blocks)


def ranking_table(ranking: Ranking) -> Table:
    """Return scores, intervals and differences, one row per group."""
    comparable, groups = ranking.comparable, ranking.groups
    columns = ACCURACY_COLUMNS if comparable.by_accuracy else PERPLEXITY_COLUMNS
    rows = [
        [
            group.name,
            format_group_score(group, comparable.metric),
            f"{len(group.scores)} of {group.run_count}",
            _format_difference(group, comparable.by_accuracy),
            format_p_value(group.p),
            format_quantity(group.means.get("best_epoch")),
            *(_format_mean(group, column) for column in columns),
            format_quantity(group.means.get("characters_per_second")),
            format_statuses(group.other_statuses) or MISSING,
        ]
        for group in groups
    ]
    headings = [
        GROUP,
        ACCURACY if comparable.by_accuracy else PERPLEXITY,
        SEEDS,
        "difference to the first",
        "p (corrected)",
        BEST_EPOCH,
        *columns.values(),
        "characters per second",
        OTHER_STATUSES,
    ]
    return Table(headings, rows, _ranking_note(comparable))


def _format_difference(group: RankedGroup, by_accuracy: bool) -> str:
    if group.difference is None:
        return MISSING
    return format_accuracy(group.difference.mean) if by_accuracy else format_interval(group.difference)


def _format_mean(group: RankedGroup, column: str) -> str:
    """Format a mean; for steps to solve also how many runs solved the task, where not all did."""
    mean = format_two_decimals(group.means.get(column))
    solved = sum(step is not None for step in group.solved_steps)
    is_partial = column == "solved_step" and 0 < solved < len(group.solved_steps)
    return f"{mean} ({solved} of {len(group.solved_steps)})" if is_partial else mean


def _ranking_note(comparable: ComparableRuns) -> str:
    scored = comparable.runs.dropna(subset=["uniform"])
    first = scored.iloc[0] if len(scored) else None
    if comparable.by_accuracy:
        note = (
            "Accuracy: mean over the seeds with a score (lowest to highest). Difference to the first: mean "
            "of the differences seed by seed. Solvable tasks are ranked by how often, then by how soon."
        )
        return note if first is None else f"{note} Accuracy of guessing: {1 / first['uniform']:.2g}."
    note = (
        "Development perplexity: mean ± half of the 95 % t-interval over seeds (other seeds, same poems). "
        "Difference to the first: the same of the differences seed by seed. p is corrected for all pairs."
    )
    if first is None:
        return note
    baselines = [f"{name} {format_quantity(first[name])}" for name in BASELINES if pd.notna(first[name])]
    return f"{note} Baselines on the same text: {', '.join(baselines)}."


def _variant_table(ranking: Ranking) -> Table:
    rows = [
        [group.name, *(format_quantity(group.means.get(column)) for column in VARIANT_COLUMNS)]
        for group in ranking.groups
    ]
    note = "Other ways to count, for comparison with published figures: docs/perplexity.md. Means over seeds."
    return Table([GROUP, *VARIANT_COLUMNS.values()], rows, note)


def _time_table(ranking: Ranking, epochs: pd.DataFrame) -> Table:
    thresholds = perplexity_thresholds(ranking)
    perplexities = [threshold.perplexity for threshold in thresholds]
    times = {
        (str(row["group"]), float(row["perplexity"])): _format_time(row)
        for _, row in seconds_to_reach(ranking.comparable, epochs, perplexities).iterrows()
    }
    rows = [
        [group.name, *(times[group.name, perplexity] for perplexity in perplexities)]
        for group in ranking.groups
    ]
    headings = [
        f"seconds to reach perplexity {format_quantity(threshold.perplexity)} ({threshold.meaning})"
        for threshold in thresholds
    ]
    note = (
        "Seconds of training until an evaluation's perplexity was as low: median over all runs that ended. A "
        "run that never got there took infinitely long (∞); the number of those that did is named."
    )
    return Table([GROUP, *headings], rows, note)


def _format_time(row: pd.Series) -> str:
    if pd.isna(row["seconds"]):
        return MISSING
    some = "" if row["reached"] == row["runs"] else f" ({row['reached']:.0f} of {row['runs']:.0f})"
    return f"{format_quantity(round(float(row['seconds']), 1))}{some}"


def ranking_rows(ranking: Ranking) -> pd.DataFrame:
    """Return the rows of ranking.csv, one per group; docs/report.md describes the columns."""
    rows = []
    for place, group in enumerate(ranking.groups, 1):
        difference = group.difference
        rows.append(
            {
                "scored_on": ranking.comparable.title,
                "metric": ranking.comparable.metric.name,
                "place": place if group.score else None,
                "group": group.name,
                "mean": group.score.mean if group.score else None,
                "low": _interval_end(group, ranking.comparable, min),
                "high": _interval_end(group, ranking.comparable, max),
                "seeds": len(group.scores),
                "runs": group.run_count,
                "behind_mean": difference.mean if difference else None,
                "behind_low": difference.low if difference else None,
                "behind_high": difference.high if difference else None,
                "p_corrected": group.p,
                "compared": group.compared,
                "solved": sum(s is not None for s in group.solved_steps) if group.solved_steps else None,
                "could_solve": len(group.solved_steps) or None,
                **group.means,
                **group.other_statuses,
            }
        )
    return pd.DataFrame(rows)


def _interval_end(
    group: RankedGroup, comparable: ComparableRuns, end: Callable[[Sequence[float]], float]
) -> float | None:
    """Return the lower (`end` is min) or upper end of the interval; of accuracies the lowest or highest."""
    if group.score is None or len(group.scores) < 2:
        return None
    if comparable.by_accuracy:
        return end([*group.scores.values()])
    return group.score.low if end is min else group.score.high
