"""The answer to a sweep's question: one sentence with its uncertainty, and what would settle more."""

import math
import shlex
from collections.abc import Sequence

from scipy import stats

from tangsweep.reporting.analysis.ranking import RankedGroup, Ranking
from tangsweep.reporting.analysis.sampling import advise
from tangsweep.reporting.analysis.statistics import SIGNIFICANCE_LEVEL
from tangsweep.reporting.analysis.tuning import TunedComparison
from tangsweep.reporting.data.run_files import SweepCommand
from tangsweep.reporting.formatting import (
    format_group_score,
    format_names,
    format_p_value,
    format_percent_difference,
)
from tangsweep.reporting.text.group_scores import describe_outcome, describe_score

MOST_PERMUTATIONS = 10_000
UNKNOWN = "it cannot be told which is best"


def headline(ranking: Ranking, tuned: TunedComparison | None) -> str:
    """Return one sentence: which group is best, or that it cannot be told, and how sure that is."""
    if tuned:
        return f"With each at its chosen setting, {_headline(tuned.ranking)}"
    sentence = _headline(ranking)
    return sentence if sentence.startswith(ranking.groups[0].name) else sentence[0].upper() + sentence[1:]


def _headline(ranking: Ranking) -> str:
    first, *others = ranking.groups
    if first.score is None:
        return "no run has a score yet."
    if not others:
        return f"{first.name}: {describe_score(ranking, first)}."
    if ranking.comparable.by_accuracy:
        return accuracy_headline(ranking)
    scored = [group for group in others if group.score]
    if not first.compared:
        return f"{UNKNOWN}: no group has all of its runs; {first.name} has {describe_score(ranking, first)}."
    rivals = [group for group in scored if group.compared]
    if not scored:
        return f"{first.name} has {describe_score(ranking, first)}; no other group has a score."
    if not rivals:
        return f"{UNKNOWN}: {first.name} has {describe_score(ranking, first)}; {_why_alone(scored)}."
    if ahead := ranking.ahead_uncompared:
        return _ahead(ranking, first, ahead, [group for group in rivals if group.is_worse])
    lowest = f"{first.name} has the lowest {describe_score(ranking, first)}"
    if len(ranking.seeds) < 2:
        return f"{UNKNOWN} from one seed: {lowest}, {rivals[0].name} the next ({_plain(ranking, rivals[0])})."
    if ranking.tests is None:
        return f"{UNKNOWN}: {lowest}, but there is no test for these scores."
    if ranking.has_winner:
        return _winner(ranking, first, rivals[0])
    behind = [group.name for group in rivals if group.is_worse]
    similar = [group.name for group in rivals if group.name not in behind]
    better = f"; it is better than {format_names(behind)}" if behind else ""
    over = "seeds and texts" if ranking.text else "seeds"
    return f"{UNKNOWN}: {lowest}, but other {over} may put {_names(similar, behind)} first{better}."


def _why_alone(others: list[RankedGroup]) -> str:
    """Say why none of the other groups with a score is compared with the first."""
    if all(group.failures for group in others):
        return "of every other group a run failed or diverged"
    return "no other group has the same seeds, or all of its runs"


def _ahead(ranking: Ranking, first: RankedGroup, ahead: list[RankedGroup], behind: list[RankedGroup]) -> str:
    """Say that groups with other seeds look better than the first, which rules out calling it best."""
    better = f" and is better than {format_names([group.name for group in behind])}" if behind else ""
    scores = ", ".join(f"{group.name} has {_plain(ranking, group)}" for group in ahead)
    score = describe_score(ranking, first)
    return f"{UNKNOWN}: {first.name} has {score}{better}, but {scores} with other seeds."


def _winner(ranking: Ranking, first: RankedGroup, second: RankedGroup) -> str:
    assert second.p is not None
    behind = format_percent_difference(second.difference_interval).removeprefix("+")
    return (
        f"{first.name} is best: {describe_score(ranking, first)}; next is {second.name}, {behind} above it "
        f"(p {_equals(format_p_value(second.p))})."
    )


def _names(similar: list[str], behind: list[str]) -> str:
    """Return the names, or `another` where nothing was told from the first."""
    return format_names(similar) if behind or len(similar) == 1 else "another"


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _plain(ranking: Ranking, group: RankedGroup) -> str:
    return format_group_score(group, ranking.comparable)


def command_with(commands: Sequence[SweepCommand], override: str) -> str:
    """Return the last command of the one sweep, with another override, as code; else the override alone."""
    arguments = commands[-1].arguments if len({command.sweep for command in commands}) == 1 else []
    if not any(a in ("-m", "--multirun") or a.startswith("sweeps=") for a in arguments):
        return override
    key = override.partition("=")[0]
    others = [argument for argument in arguments if argument.partition("=")[0] != key]
    return f"`{shlex.join(['python', 'src/train.py', *others, override])}`"


def next_step(
    ranking: Ranking,
    tuned: TunedComparison | None,
    edges: list[str],
    improving: list[str],
    commands: Sequence[SweepCommand] = (),
) -> str:
    """Return what would settle more, the most urgent thing alone; empty where nothing is open.

    `edges` are groups whose best learning rate is the last of its grid, `improving` those that were still
    getting better when training ended, `commands` those that trained the runs.
    """
    judged = tuned.ranking if tuned else ranking
    lost = sum(sum(group.other_statuses.values()) for group in judged.groups)
    rivals = [group for group in judged.groups[1:] if group.compared]
    if not judged.groups[0].score or (lost and not judged.groups[0].compared):
        return "give the same command again: it trains what is missing or unfinished."
    if edges:
        return f"try learning rates beyond the grid, where a better one may lie, for {format_names(edges)}."
    if len(judged.seeds) < 2 and rivals:
        command = command_with(commands, "seed=0,1,2,3,4")
        return f"add seeds, for example {command}: the runs that exist are not trained again."
    if ahead := judged.ahead_uncompared:
        seeds = ",".join(map(str, judged.seeds))
        names = format_names([group.name for group in ahead])
        return f"train {names} with the seeds of the others, seed={seeds}: until then nothing is compared."
    if improving:
        return f"train longer: {format_names(improving)} still improved at the last epoch."
    if judged.tests and not judged.has_winner and rivals and (step := _more_luck(judged, rivals[0])):
        return step
    if tuned and not tuned.is_confirmed:
        command = command_with(commands, "confirm.seeds=5,6,7,8,9")
        return f"let other seeds judge, {command}: those that chose the settings also judge them now."
    return ""


def _more_luck(judged: Ranking, rival: RankedGroup) -> str:
    """Return how many seeds or documents would tell the first group from the next; empty where unknown."""
    advice = advise(rival.difference_sample) if rival.difference_sample else None
    if advice is None:
        return ""
    if advice.seeds:
        return (
            f"about {advice.seeds:,} seeds a group instead of {len(judged.seeds)} would tell "
            f"{judged.groups[0].name} from {rival.name} in half of all cases, "
            "if the difference and the spread stay as they are."
        )
    factor = f"{advice.documents_factor:.1f}"
    return f"test on at least {factor} times as many documents; no number of seeds settles it."


def outcomes(group: RankedGroup) -> list[float]:
    """Return one number a run, lower is better: steps to solve, infinite where not solved, else −accuracy."""
    if group.solved_steps:
        return [math.inf if step is None else step for step in group.solved_steps]
    return [-accuracy for accuracy in group.scores.values()]


def is_better(first: RankedGroup, others: list[RankedGroup]) -> bool:
    """Return whether the first group's runs are better than those of each other group, beyond chance.

    Mann and Whitney's test of the outcomes, Bonferroni-corrected for the number of others.
    """
    pairs = [(outcomes(first), outcomes(other)) for other in others if outcomes(other)]
    p_values = [_p_value(own, rival) for own, rival in pairs]
    return bool(p_values) and max(p_values) * len(p_values) < SIGNIFICANCE_LEVEL


def _p_value(own: list[float], rival: list[float]) -> float:
    """Return the two-sided p: exact for few runs, where ranks often tie, such as those of unsolved ones."""
    ranks = stats.rankdata([*own, *rival])
    first, second = ranks[: len(own)], ranks[len(own) :]
    if math.comb(len(ranks), len(own)) > MOST_PERMUTATIONS:
        return 2 * float(stats.mannwhitneyu(first, second, alternative="less").pvalue)
    exact = stats.permutation_test(
        (first, second), lambda x, y: sum(x), vectorized=False, n_resamples=math.inf, alternative="less"
    )
    return 2 * float(exact.pvalue)


def accuracy_headline(ranking: Ranking) -> str:
    """Return one sentence: which group solves the task more often or sooner, or that it cannot be told."""
    first, *others = [group for group in ranking.groups if outcomes(group)]
    if not others:
        return f"{_name_outcome(ranking, first)}; no other group has a score."
    equal = [g for g in others if sorted(outcomes(g)) == sorted(outcomes(first))]
    if equal:
        names = format_names([first.name, *(group.name for group in equal)])
        return f"{UNKNOWN}: {names} did equally well ({describe_outcome(ranking, first)})."
    compared = f"{_name_outcome(ranking, first)}, {_name_outcome(ranking, others[0])}"
    if is_better(first, others):
        return f"{first.name} is best: {compared}."
    return f"{UNKNOWN} from so few runs: {compared}."


def _name_outcome(ranking: Ranking, group: RankedGroup) -> str:
    return f"{group.name}: {describe_outcome(ranking, group)}"
