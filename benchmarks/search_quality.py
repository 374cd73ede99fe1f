"""How much training a search needs to find a good setting, on recorded runs; and what an ask costs.

    python benchmarks/search_quality.py                  # tests/sweep/recorded_curves.json, 50 repetitions
    python benchmarks/search_quality.py --repetitions 5

The goal is one of the best 5 % of the recorded runs, trained to its end. Random search draws runs without
replacement and trains each to its end. The search's proposal is replaced by the nearest recorded run that was
not drawn yet, and its halving reads the recorded curves. Time is in epochs of training: recorded seconds also
measure what else the machine did.
"""

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the recorded runs, which lie beside their test

from tests.sweep.recorded_curves import Curve, recorded_curves

from tangsweep.config.search_options import SearchOptions
from tangsweep.runs.search_log import Line, Result, Setting
from tangsweep.sweep.halving import Rung, ladder
from tangsweep.sweep.proposals import PastTrial, propose
from tangsweep.sweep.search_space import Arm, Branch, Choice, Range
from tangsweep.sweep.search_state import SearchState

GOOD = 0.05  # share of the recorded runs that are the goal
BETAS = ("[0.5,0.999]", "[0.9,0.999]", "[0.9,0.9]", "[0.95,0.99]")
ARM = Arm(
    "all",
    (
        Branch(
            (),
            (
                Range("optimizer.lr", 1e-4, 0.3, log=True),
                Range("model.dropout", 0.0, 0.6),
                Choice("optimizer.betas", BETAS),
                Range("model.hidden_size", 8, 64, log=True, whole=True),
            ),
        ),
    ),
)


def goals(curves: Sequence[Curve]) -> set[int]:
    """Return the runs that are good enough."""
    ranked = sorted(range(len(curves)), key=lambda run: min(curves[run].losses))
    return set(ranked[: max(1, round(GOOD * len(curves)))])


def random_search(curves: Sequence[Curve], seed: int) -> float:
    """Return the epochs that random search trains until a goal has ended."""
    order = list(range(len(curves)))
    random.Random(seed).shuffle(order)
    drawn = next(count for count, run in enumerate(order, 1) if run in goals(curves))
    return float(drawn * len(curves[0].losses))


def nearest(curves: Sequence[Curve], setting: Setting, used: set[int]) -> int:
    """Return the recorded run that is nearest to a setting, of those not used yet."""

    def place(texts: dict[str, str]) -> list[float]:
        values = []
        for parameter in ARM.branches[0].parameters:
            if isinstance(parameter, Range):
                low, high, value = parameter.low, parameter.high, float(texts[parameter.key])
                if parameter.log:
                    low, high, value = math.log(low), math.log(high), math.log(value)
                values.append((value - low) / (high - low))
        return values

    def distance(run: int) -> float:
        texts = curves[run].parameters
        differs = texts["optimizer.betas"] != setting.parameters["optimizer.betas"]
        return math.dist(place(texts), place(setting.parameters)) + 0.3 * differs

    return min((run for run in range(len(curves)) if run not in used), key=distance)


def pruned_search(curves: Sequence[Curve], seed: int, sampler: str = "tpe") -> float:
    """Return the epochs that a search with pruning trains until a goal has ended."""
    epochs = len(curves[0].losses)
    rungs = ladder(epochs, 1, 3, [0])
    options = SearchOptions.model_validate({"trials": len(curves), "sampler": sampler, "seed": seed})
    state = SearchState((ARM,), {"all": rungs}, options, {})
    runs: list[int] = []  # of each trial
    spent = 0.0
    while decision := state.next_step():
        step, setting = decision
        if setting is not None:
            run = nearest(curves, setting, set(runs))
            runs.append(run)
            setting = Setting("all", 0, curves[run].parameters)
        state.add_line(Line(step, setting, ()))
        run, reached = runs[step.trial], _epochs(rungs[step.rung], epochs)
        spent += reached - (_epochs(rungs[step.rung - 1], epochs) if step.rung else 0)
        state.add_results([Result(step.trial, step.rung, min(curves[run].losses[:reached]))])
        if reached == epochs and run in goals(curves):
            return spent
    return math.inf


def _epochs(rung: Rung, epochs: int) -> int:
    return epochs if rung.epochs is None else rung.epochs


def busy_share(seconds: Sequence[float], workers: int, in_batches: bool) -> float:
    """Return for how much of the time workers have a run, simulated from how long each run takes.

    In batches, as hydra-optuna-sweeper works, all wait for the slowest; else a free worker takes the next.
    """
    ends = [0.0] * workers
    for place in range(0, len(seconds), workers if in_batches else 1):
        batch = seconds[place : place + (workers if in_batches else 1)]
        if in_batches:
            ends = [max(ends) + max(batch)] * workers
        else:
            ends[ends.index(min(ends))] += batch[0]
    return sum(seconds) / (workers * max(ends))


def ask_milliseconds(trials: int) -> float:
    """Return the median processor time of a proposal, study included, after so many trials."""
    generator = random.Random(0)
    curves = recorded_curves()
    past = [
        PastTrial(Setting("all", 0, generator.choice(curves).parameters), generator.random())
        for _ in range(trials)
    ]
    options = SearchOptions(trials=trials + 1)
    propose(ARM, past, options)  # imports
    times = []
    for _ in range(9):
        start = time.process_time()
        propose(ARM, past, options)
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=50)
    options = parser.parse_args(arguments)
    curves, seeds = recorded_curves(), range(options.repetitions)
    print(
        f"{len(curves)} recorded runs of {len(curves[0].losses)} epochs, {len(goals(curves))} of them goals"
    )
    results = {
        "random, no pruning": [random_search(curves, seed) for seed in seeds],
        "random, pruning": [pruned_search(curves, seed, "random") for seed in seeds],
        "tpe, pruning": [pruned_search(curves, seed) for seed in seeds],
    }
    baseline = statistics.median(results["random, no pruning"])
    for name, spent in results.items():
        median = statistics.median(spent)
        print(
            f"{name:20} median {median:6.0f} epochs, {median / baseline:.2f} of random search without pruning"
        )
    unequal = [len(curve.losses) * curve.seconds_per_epoch for curve in curves[:40]]
    for name, in_batches in (("in batches", True), ("one after another", False)):
        share = busy_share(unequal, 2, in_batches)
        print(f"40 recorded runs on 2 workers, {name}: busy {share:.0%} of the time (simulated)")
    for trials in (100, 1000):
        print(f"a proposal after {trials} settings takes {ask_milliseconds(trials):.0f} ms")


if __name__ == "__main__":
    main()
