"""How many times as long as the fastest a competitor takes in each task, and whose runs are better.

Profiles are of tasks that all competitors share. Times are (tasks, competitors); a miss is infinite.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_RATIO = 4.0  # profiles are drawn and integrated up to here, as by AlgoPerf


def performance_ratios(times: Floats) -> Floats:
    """Return t / t_best of each task (row) and competitor (column); infinite where a competitor missed."""
    best = times.min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: Floats = np.where(np.isfinite(times), times / best, math.inf)
    ratios[np.isfinite(times) & (times == best)] = 1.0  # also where the untrained model is good enough
    return ratios


def profile_share(ratios: Floats, tau: float) -> Floats:
    """Return ρ(τ) of each competitor: the share of tasks with t / t_best ≤ τ (Dolan and Moré 2002)."""
    shares: Floats = (ratios <= tau).mean(axis=0)
    return shares


def profile_scores(ratios: Floats) -> Floats:
    """Return ⅓ ∫₁⁴ ρ(τ) dτ of each competitor (Dahl et al. 2023): a task with ratio r adds (4 − r) / 3."""
    scores: Floats = np.clip((MAX_RATIO - ratios) / (MAX_RATIO - 1), 0, None).mean(axis=0)
    return scores


def preferences(costs: Floats, others: Floats) -> Floats:
    """Return (m, n): 1 where a run is better than one of the others, ½ where they are equal, else 0."""
    better: Floats = (costs[:, None] < others) + 0.5 * (costs[:, None] == others)
    return better


def largest_crossing(competitors: Sequence[set[str]]) -> tuple[list[int], list[str]]:
    """Return tasks and competitors of which each competitor takes part in each task, as many as possible.

    Profiles need every pair. The number of pairs decides, then that of tasks; both are empty where no two
    tasks share two competitors.
    """
    intersections: set[frozenset[str]] = set()
    for names in competitors:
        intersections |= {other & names for other in intersections} | {frozenset(names)}
    crossings = [
        ([number for number, names in enumerate(competitors) if shared <= names], sorted(shared))
        for shared in sorted(intersections, key=sorted)
        if len(shared) > 1
    ]
    crossings = [crossing for crossing in crossings if len(crossing[0]) > 1]
    return max(crossings, key=lambda c: (len(c[0]) * len(c[1]), len(c[0])), default=([], []))
