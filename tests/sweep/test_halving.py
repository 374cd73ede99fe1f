"""Rungs and promotions equal a plain asynchronous successive halving, written down by its definition."""

import heapq
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tangsweep.config.search_options import SearchOptions
from tangsweep.runs.search_log import Line, Result, Step
from tangsweep.sweep.halving import Rung, ladder, next_promotion
from tangsweep.sweep.search_space import Arm, Branch, Range
from tangsweep.sweep.search_state import SearchState
from tests.sweep.recorded_curves import Curve, recorded_curves


@pytest.mark.parametrize(
    ("epochs", "min_epochs", "eta", "pauses"),
    [(27, None, 3, [3, 9]), (25, 2, 3, [2, 6, 18]), (9, 3, 3, [3]), (8, 1, 2, [1, 2, 4]), (4, None, 3, [1, 3]),
     (100, 5, 1, []), (1, None, 3, []), (None, None, 1, [])],
)  # fmt: skip
def test_the_ladder(epochs: int | None, min_epochs: int | None, eta: int, pauses: list[int]) -> None:
    rungs = ladder(epochs, min_epochs, eta, [7, 8])
    assert rungs == [*(Rung(7, pause) for pause in pauses), Rung(7, None), Rung(8, None)]


def test_promotions_by_hand() -> None:
    values = [{0: 5.0, 1: 4.0, 2: 6.0, 3: math.inf}, {}, {}]
    assert next_promotion(values, [set(), set(), set()], [3, 3]) == Step(1, 1)
    assert next_promotion(values, [{1}, set(), set()], [3, 3]) is None
    values[0] |= {4: 3.0, 5: 9.0}  # six: two may rise
    assert next_promotion(values, [{1}, set(), set()], [3, 3]) == Step(4, 1)
    values[1] = {1: 3.5}
    assert next_promotion(values, [{1, 4}, set(), set()], [3, 3]) is None
    assert next_promotion(values, [{1, 4}, set(), set()], [3, 3], is_closing=True) == Step(1, 2)
    assert next_promotion([{0: math.inf}, {}], [set(), set()], [1], is_closing=True) is None


@given(st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=40), st.integers(1, 4))
def test_with_nothing_running_every_rung_is_halved(values: list[float], eta: int) -> None:
    """Synchronous successive halving with at least one on each rung, where values do not change on the way."""
    at_rungs: list[dict[int, float]] = [dict(enumerate(values)), {}, {}]
    risen: list[set[int]] = [set(), set(), set()]
    while step := next_promotion(at_rungs, risen, [eta, eta], is_closing=True):
        risen[step.rung - 1].add(step.trial)
        at_rungs[step.rung][step.trial] = values[step.trial]
    first = max(1, len(values) // eta)
    assert [len(rung) for rung in at_rungs] == [len(values), first, max(1, first // eta)]
    best = sorted(range(len(values)), key=lambda trial: (values[trial], trial))
    assert set(at_rungs[1]) == set(best[:first])


class PlainHalving:
    """Algorithm 2 of Li et al. (2020), with the rule that closes a small search; all state in two lists."""

    def __init__(self, curves: list[Curve], pauses: list[int], eta: int) -> None:
        self.curves, self.pauses, self.eta = curves, pauses, eta
        self.rungs: list[list[tuple[float, int]]] = [[] for _ in pauses]
        self.promoted: list[list[int]] = [[] for _ in pauses]
        self.begun = 0
        self.running = 0

    def get_job(self) -> tuple[int, int] | None:
        closing = self.begun == len(self.curves) and self.running == 0
        for rung in range(len(self.pauses) - 2, -1, -1):
            top = len(self.rungs[rung]) // self.eta
            if closing and top == 0:
                top = 1
            for _, trial in sorted(self.rungs[rung])[:top]:
                if trial not in self.promoted[rung]:
                    self.promoted[rung].append(trial)
                    self.running += 1
                    return trial, rung + 1
        if self.begun < len(self.curves):
            self.begun += 1
            self.running += 1
            return self.begun - 1, 0
        return None

    def end(self, trial: int, rung: int) -> None:
        self.running -= 1
        self.rungs[rung].append((min(self.curves[trial].losses[: self.pauses[rung]]), trial))


def durations(curves: list[Curve], pauses: list[int], trial: int, rung: int) -> float:
    epochs = pauses[rung] - (pauses[rung - 1] if rung else 0)
    return curves[trial].seconds_per_epoch * epochs


@settings(max_examples=12)
@given(st.integers(0, 999), st.integers(1, 5), st.sampled_from([2, 3]), st.integers(3, 40))
def test_a_search_equals_plain_halving_on_recorded_curves(
    seed: int, workers: int, eta: int, count: int
) -> None:
    """With any number of workers, whose runs end in the order of their recorded durations."""
    curves = random.Random(seed).sample(recorded_curves(), count)
    rungs = ladder(len(curves[0].losses), 2, eta, [0])
    pauses = [rung.epochs or len(curves[0].losses) for rung in rungs]
    arm = Arm("all", (Branch((), (Range("x", 0.0, 1.0),)),))
    options = SearchOptions(trials=count, sampler="random", eta=eta)
    state, plain = SearchState((arm,), {"all": rungs}, options, {}), PlainHalving(curves, pauses, eta)
    clock: list[tuple[float, int, int, int]] = []
    now, order = 0.0, 0
    while True:
        while len(clock) < workers:
            decision, expected = state.next_step(), plain.get_job()
            assert (decision and tuple(decision[0])) == expected
            if decision is None or expected is None:
                break
            state.add_line(Line(*decision, ()))
            order += 1
            heapq.heappush(clock, (now + durations(curves, pauses, *expected), order, *expected))
        if not clock:
            break
        now, _, trial, rung = heapq.heappop(clock)
        state.add_results([Result(trial, rung, min(curves[trial].losses[: pauses[rung]]))])
        plain.end(trial, rung)
    assert state.is_complete
    assert state.incumbent("all").rung == len(rungs) - 1  # type: ignore[union-attr]
