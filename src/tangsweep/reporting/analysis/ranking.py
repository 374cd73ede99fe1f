"""A ranking of the groups of comparable runs, with intervals and tests."""

from typing import NamedTuple

import pandas as pd

from tangsweep.reporting.analysis.sampling import LossSample
from tangsweep.reporting.analysis.scored_documents import ScoredDocuments
from tangsweep.reporting.analysis.statistics import SIGNIFICANCE_LEVEL, GroupTests, Interval
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.runs.state import ENDED, State

FAILURES = (State.FAILED.value, State.DIVERGED.value)

PERPLEXITY_VARIANTS = (
    "dev_perplexity_padded", "dev_perplexity_mean_over_sentences", "dev_perplexity_oov_charged",
)  # fmt: skip
POEM_QUALITY = (
    "right_lines", "free_rhyme", "free_tones", "constrained_rhyme", "constrained_tones", "free_distinct_1",
    "free_distinct_2", "free_distinct_3", "free_longest_copy", "free_copied_line",
)  # fmt: skip
AVERAGED_COLUMNS = (
    "test_perplexity", "test_known_perplexity", "test_oov_loss", "test_bits_per_character",
    "dev_perplexity", "dev_known_perplexity", "dev_oov_loss", "dev_bits_per_character",
    "train_perplexity", "last_train_perplexity", "last_dev_perplexity", "gap", "dev_loss", "best_epoch",
    "characters_per_second", "seconds", "steps", "solved_step", "last_dev_accuracy", *PERPLEXITY_VARIANTS,
    *POEM_QUALITY,
)  # fmt: skip


class RankedGroup(NamedTuple):
    """One group of a ranking; a seed that several of its runs have counts once, with their mean score.

    Scores and differences are accuracies, or losses in nats per character.
    """

    name: str
    score: Interval | None  # over other seeds, on the same text
    scores: dict[int, float]  # by seed, of the runs that have one; of compared groups, the shared seeds
    sample: LossSample | None  # the score, as a statement about other seeds and other texts
    extra_seeds: list[int]  # with a score, but not shared by all compared groups: not used
    failures: int  # runs that failed or diverged
    compared: bool  # has no failure, and enough seeds that others have as well
    run_count: int
    other_statuses: dict[str, int]  # status → number of runs, of those that are not `done`
    difference: Interval | None  # to the first group, seed by seed
    difference_sample: LossSample | None  # the same, seed by seed and document by document
    p: float | None  # that it differs from the first group; for all pairs of compared groups together
    repeated_seeds: int  # runs beyond the first of each seed
    # Of the ended runs of a solvable task: the step at which it was solved, None where it was not.
    solved_steps: list[float | None]
    means: dict[str, float]  # of AVERAGED_COLUMNS over the runs with a score, where one has a value

    @property
    def interval(self) -> Interval | None:
        """The score over other seeds and other texts; over other seeds where no documents were kept."""
        return self.score if self.sample is None or self.sample.interval is None else self.sample.interval

    @property
    def difference_interval(self) -> Interval | None:
        """The difference to the first group, over the same as `interval`."""
        sample = self.difference_sample
        return self.difference if sample is None or sample.interval is None else sample.interval

    @property
    def is_worse(self) -> bool:
        """Whether the group may be called worse than the first: the test says so, and the interval as well.

        The test pools the variances of all groups, the interval of the difference does not.
        """
        difference = self.difference_interval
        is_above = difference is None or difference.low is None or difference.low > 0
        return self.p is not None and self.p < SIGNIFICANCE_LEVEL and is_above


class Ranking(NamedTuple):
    """Comparable runs and their groups: compared groups with the best first, then the others."""

    comparable: ComparableRuns
    groups: list[RankedGroup]
    text: ScoredDocuments | None  # the documents that were scored, where every run has kept their nats
    seeds: list[int]  # that all compared groups have
    tests: GroupTests | None  # of the first group against the other compared ones

    @property
    def has_winner(self) -> bool:
        """Whether losses say that the first group is better than every other compared one."""
        others = [group for group in self.groups[1:] if group.compared]
        is_significant = self.tests is not None and self.tests.p_best < SIGNIFICANCE_LEVEL
        return is_significant and all(group.is_worse for group in others) and not self.ahead_uncompared

    @property
    def ahead_uncompared(self) -> list[RankedGroup]:
        """Groups with a better mean than the first, but over other seeds, so that neither can be called best.

        Those with a failed or diverged run are not among them: their means are those of survivors.
        """
        first, sort_key = self.groups[0], self.comparable.metric.sort_key
        if first.score is None:
            return []
        others = [g for g in self.groups[1:] if g.score and not g.compared and not g.failures]
        return [g for g in others if g.score and sort_key(g.score.mean) < sort_key(first.score.mean)]


def solvable_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of tasks that can be solved, which are those with a length, that ended or failed."""
    return runs[runs["length"].notna() & runs["status"].isin([*ENDED, State.FAILED.value])]


def best_runs(ranking: Ranking) -> dict[str, str]:
    """Return the run with the best development score of each group, groups in the ranking's order."""
    comparable, column = ranking.comparable, ranking.comparable.chosen_by
    if comparable.ranked_by.known and comparable.runs["dev_known_perplexity"].notna().any():
        column = "dev_known_perplexity"  # as settings are chosen
    ascending = comparable.metric.lower_is_better
    runs = comparable.runs[comparable.runs[column].notna()]
    runs = runs.sort_values(column, ascending=ascending, kind="stable").drop_duplicates("group")
    best = dict(zip(runs["group"], runs["run"].astype(str), strict=True))
    return {group.name: best[group.name] for group in ranking.groups if group.name in best}
