"""What a group achieved, in words: the one place of the answer, its details and the ranking's sentences."""

from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.formatting import (
    MISSING,
    format_group_score,
    format_quantity,
    format_score_interval,
    format_statuses,
)


def describe_score(ranking: Ranking, group: RankedGroup) -> str:
    """Return `test perplexity 334.5 (95 % interval 310.2 to 360.1)`, `accuracy 0.98`."""
    return _with_notes(_mean(ranking, group), _interval(ranking, group))


def describe_score_and_runs(ranking: Ranking, group: RankedGroup) -> str:
    """Return the same with how many seeds it is over, and what became of the other runs."""
    score = _mean(ranking, group)
    if group.solved_steps:
        score = f"{_count_solved(group)}, {score}"
    seeds = len(group.scores)
    notes = [*_interval(ranking, group), f"{seeds} seeds" if seeds > 1 else "one seed"]
    if group.other_statuses:
        notes.append(f"of {group.run_count} runs {format_statuses(group.other_statuses)}")
    return _with_notes(score, notes)


def describe_outcome(ranking: Ranking, group: RankedGroup) -> str:
    """Return how many runs solved the task and how soon; the accuracy of a task that cannot be solved."""
    steps = [step for step in group.solved_steps if step is not None]
    if not group.solved_steps:
        return _mean(ranking, group)
    if not steps:
        return _count_solved(group)
    return f"{_count_solved(group)}, on average at step {format_quantity(round(sum(steps) / len(steps)))}"


def _mean(ranking: Ranking, group: RankedGroup) -> str:
    comparable = ranking.comparable
    name = "accuracy" if comparable.by_accuracy else f"{comparable.set_name} {comparable.metric.name}"
    return f"{name} {format_group_score(group, comparable)}"


def _interval(ranking: Ranking, group: RankedGroup) -> list[str]:
    interval = format_score_interval(group.interval, ranking.comparable)
    return [] if ranking.comparable.by_accuracy or interval == MISSING else [f"95 % interval {interval}"]


def _count_solved(group: RankedGroup) -> str:
    solved = sum(step is not None for step in group.solved_steps)
    return f"solved by {solved} of {len(group.solved_steps)} runs"


def _with_notes(text: str, notes: list[str]) -> str:
    return f"{text} ({'; '.join(notes)})" if notes else text
