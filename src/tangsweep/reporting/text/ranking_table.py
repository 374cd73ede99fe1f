"""A ranking as tables to read and as rows of ranking.csv."""

import pandas as pd

from tangsweep.baselines import BASELINES
from tangsweep.reporting.analysis.ranking import (
    RankedGroup,
    Ranking,
)
from tangsweep.reporting.analysis.statistics import PRELIMINARY_TEST_FACTOR
from tangsweep.reporting.analysis.training_times import perplexity_thresholds, seconds_to_reach
from tangsweep.reporting.blocks import Section, Table
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns, RankedBy
from tangsweep.reporting.formatting import (
    MISSING,
    format_accuracy,
    format_group_score,
    format_p_value,
    format_percent_difference,
    format_quantity,
    format_score_interval,
    format_statuses,
    format_two_decimals,
)

# Headings of the ranking; the terminal prints some of the columns.
GROUP, SEEDS, BEST_EPOCH = "group", "seeds with a score", "best epoch"
ACCURACY, INTERVAL = "accuracy", "95 % interval"
TRAINING_PERPLEXITY, LAST_ACCURACY = "training perplexity", "accuracy at last epoch"
SOLVED_STEP, OTHER_STATUSES = "steps to solve", "diverged, failed or unfinished"
ACCURACY_COLUMNS = {
    "dev_loss": "development loss (nats)",
    "last_dev_accuracy": LAST_ACCURACY,
    "solved_step": SOLVED_STEP,
}
VARIANT_COLUMNS = {
    "dev_perplexity_padded": "perplexity with padding counted",
    "dev_perplexity_mean_over_sentences": "mean of sentence perplexities",
    "dev_perplexity_oov_charged": "perplexity with unknown characters charged",
    "dev_perplexity": "development perplexity (all characters)",
    "last_dev_perplexity": "development perplexity at last epoch (all characters)",
    "last_train_perplexity": "training perplexity at last epoch",
    "seconds": "training seconds",
}


def ranking_section(data: SweepData, ranking: Ranking) -> Section:
    """Return the ranking; of perplexities also other ways to count, and the time to reach some of them."""
    table = ranking_table(ranking)
    if not ranking.comparable.by_accuracy:
        epochs = data.epochs[data.epochs["run"].isin(ranking.comparable.runs["run"])]
        for more in (_variant_table(ranking), _time_table(ranking, epochs)):
            table = _with_optional_columns(table, more)
    return Section("Ranking", [table])


def _with_optional_columns(table: Table, more: Table) -> Table:
    """Add the columns of a table of the same groups, in the same order; the page shows them on demand."""
    return table._replace(
        columns=[*table.columns, *more.columns[1:]],
        rows=[[*row, *others[1:]] for row, others in zip(table.rows, more.rows, strict=True)],
        note=f"{table.note} {more.note}",
        optional=table.optional | set(more.columns[1:]),
    )


def score_heading(comparable: ComparableRuns) -> str:
    """Return the name of the score that ranks: `test perplexity (known characters)`."""
    characters = " (known characters)" if comparable.ranked_by.known else ""
    return f"{comparable.set_name} {comparable.metric.name}{characters}"


def perplexity_columns(ranked_by: RankedBy) -> dict[str, str]:
    """Return the columns of means beside the score, with their headings."""
    columns = {}
    if ranked_by.known:
        name = "test" if ranked_by.set == "test" else "development"
        columns[f"{ranked_by.set}_perplexity"] = f"{name} perplexity (all characters)"
        columns[f"{ranked_by.set}_oov_loss"] = "nats per unknown character"
    if ranked_by.set == "test":
        columns["dev_known_perplexity"] = "development perplexity (known characters)"
    return columns | {
        f"{ranked_by.set}_bits_per_character": "bits per character",
        "train_perplexity": TRAINING_PERPLEXITY,
        "gap": "development minus training loss (nats)",
    }


def ranking_table(ranking: Ranking) -> Table:
    """Return scores, intervals and differences, one row per group."""
    comparable, groups = ranking.comparable, ranking.groups
    by_accuracy = comparable.by_accuracy
    columns = ACCURACY_COLUMNS if by_accuracy else perplexity_columns(comparable.ranked_by)
    rows = [
        [
            group.name,
            format_group_score(group, comparable),
            *([] if by_accuracy else _format_intervals(ranking, group)),
            f"{len(group.scores)} of {group.run_count}",
            _format_difference(group, by_accuracy),
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
        *([ACCURACY] if by_accuracy else [score_heading(comparable), INTERVAL]),
        *(["other seeds, same text"] if ranking.text else []),
        SEEDS,
        "difference to the first",
        "p (corrected)",
        BEST_EPOCH,
        *columns.values(),
        "characters per second",
        OTHER_STATUSES,
    ]
    return Table(headings, rows, _ranking_note(ranking))


def _format_intervals(ranking: Ranking, group: RankedGroup) -> list[str]:
    """Format the interval over seeds and texts and that over seeds, or the latter alone."""
    both, seeds = (format_score_interval(i, ranking.comparable) for i in (group.interval, group.score))
    return [both, seeds] if ranking.text else [seeds]


def _format_difference(group: RankedGroup, by_accuracy: bool) -> str:
    if by_accuracy:
        return format_accuracy(group.difference.mean) if group.difference else MISSING
    return format_percent_difference(group.difference_interval)


def _format_mean(group: RankedGroup, column: str) -> str:
    """Format a mean; for steps to solve also how many runs solved the task, where not all did."""
    mean = format_two_decimals(group.means.get(column))
    solved = sum(step is not None for step in group.solved_steps)
    is_partial = column == "solved_step" and 0 < solved < len(group.solved_steps)
    return f"{mean} ({solved} of {len(group.solved_steps)})" if is_partial else mean


def _ranking_note(ranking: Ranking) -> str:
    comparable = ranking.comparable
    scored = comparable.runs.dropna(subset=["uniform"])
    first = scored.iloc[0] if len(scored) else None
    if comparable.by_accuracy:
        note = (
            "Accuracy: mean over the seeds with a score (lowest to highest). Difference to the first: mean "
            "of the differences seed by seed. Solvable tasks are ranked by how often, then by how soon."
        )
        return note if first is None else f"{note} Accuracy of guessing: {1 / first['uniform']:.2g}."
    note = (
        f"{score_heading(comparable).capitalize()}: exp of the mean loss over seeds. "
        f"{_interval_note(ranking)}"
        " Difference to the first: of the perplexities, in percent, seed by seed"
        f"{' and document by document' if ranking.text else ''}, with its own interval, not corrected. "
        f"p is corrected for all pairs, by the test that the answer names{_factor_note(ranking)}."
        f"{_seeds_note(ranking)}"
    )
    if comparable.ranked_by.known:
        note += " Known characters are those of the training vocabulary; all others are one, <oov>."
    return note if first is None else f"{note} {_baseline_note(comparable, first)}"


def _factor_note(ranking: Ranking) -> str:
    if sum(group.compared for group in ranking.groups) <= 2:
        return ""
    return f", and times {PRELIMINARY_TEST_FACTOR}, since scores decide which of two tests that is"


def _seeds_note(ranking: Ranking) -> str:
    return f" Seeds: {', '.join(map(str, ranking.seeds))}." if ranking.seeds else ""


def _interval_note(ranking: Ranking) -> str:
    if ranking.text is None:
        return "The interval is over other seeds, on the same text."
    units = ranking.text.units
    drawn = "" if units.kind == "documents" else f" by {units.units:,} {units.kind}, whose works count as one"
    return (
        f"The interval is over other seeds and other texts like these {len(units.characters):,} "
        f"documents{drawn}; for one seed, over other texts alone."
    )


def _baseline_note(comparable: ComparableRuns, run: pd.Series) -> str:
    """Name the baselines on the same characters."""
    columns = {"uniform": "uniform"}
    for name in BASELINES[1:]:
        columns[name] = f"{comparable.ranked_by.set}_known_{name}" if comparable.ranked_by.known else name
    baselines = [f"{name} {format_quantity(run[c])}" for name, c in columns.items() if pd.notna(run[c])]
    return f"Baselines on the same characters: {', '.join(baselines)}."


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
        "Seconds of training until the development perplexity was as low: median over all runs that ended. A "
        "run that never got there took infinitely long (∞); the number of those that did is named. "
        "These perplexities count all characters, unknown ones included. Runs at the same time slow each "
        "other down."
    )
    return Table([GROUP, *headings], rows, note)


def _format_time(row: pd.Series) -> str:
    if pd.isna(row["seconds"]):
        return MISSING
    some = "" if row["reached"] == row["runs"] else f" ({row['reached']:.0f} of {row['runs']:.0f})"
    return f"{format_quantity(round(float(row['seconds']), 1))}{some}"
