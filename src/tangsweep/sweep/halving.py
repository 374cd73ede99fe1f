"""Asynchronous successive halving by promotion (Li et al. 2020, "A System for Massively Parallel
Hyperparameter Tuning"), and the ladder of rungs that trials climb.

A trial that is not promoted is paused, not stopped: it may be promoted later, when more trials are known.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tangsweep.runs.search_log import Step

SHARE_OF_FIRST_RUNG = 9  # of a run's epochs, where search.min_epochs does not say


class Rung(NamedTuple):
    """What a trial is trained for: the run of a seed, up to an epoch."""

    seed: int
    epochs: int | None  # None: to the end of the run


def ladder(epochs: int | None, min_epochs: int | None, eta: int, seeds: Sequence[int]) -> list[Rung]:
    """Return the rungs: the first seed at min_epochs · ηᵏ epochs and to the end, then each other seed.

    `epochs` is the length of a run; it is not needed with η = 1, where nothing is pruned.
    """
    pauses = []
    if eta > 1 and epochs is not None:
        pause = min_epochs or max(1, round(epochs / SHARE_OF_FIRST_RUNG))
        while pause < epochs:
            pauses.append(pause)
            pause *= eta
    first = [Rung(seeds[0], pause) for pause in (*pauses, None)]
    return [*first, *(Rung(seed, None) for seed in seeds[1:])]


def next_promotion(
    values: Sequence[Mapping[int, float]],
    promoted: Sequence[set[int]],
    etas: Sequence[int],
    is_closing: bool = False,
) -> Step | None:
    """Return the trial to promote, with the rung it rises to; None where there is none.

    Of the trials with a value at a rung, the best ⌊n / η⌋ may rise, and those of higher rungs do first. Where
    no other trial is to come or runs (`is_closing`), at least the best of each rung rises, so that one
    reaches the top however few there are. Of equal values the earlier trial is better; infinite ones never
    rise.

    Args:
        values: for each rung, its value of each trial, lower is better.
        promoted: for each rung, the trials that have risen from it.
        etas: for each rung, its η.
        is_closing: whether all trials have begun, and none runs.
    """
    for rung in range(len(values) - 2, -1, -1):
        count = max(int(is_closing), len(values[rung]) // etas[rung])
        best = sorted((value, trial) for trial, value in values[rung].items())[:count]
        for value, trial in best:
            if trial not in promoted[rung] and math.isfinite(value):
                return Step(trial, rung + 1)
    return None
