"""What a search has decided and knows, and what it does next: a function of its lines and nothing else."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple, Self

from pydantic import TypeAdapter

from tangsweep.config.search_options import SearchOptions
from tangsweep.runs.search_log import Header, Line, Result, Setting, Step
from tangsweep.sweep.halving import Rung, next_promotion
from tangsweep.sweep.proposals import PastTrial, propose
from tangsweep.sweep.search_known import read_known_settings
from tangsweep.sweep.search_space import Arm, Space, space_of_values


class Incumbent(NamedTuple):
    """The best trial of an arm: of those at the highest rung the one with the lowest value."""

    trial: int
    rung: int
    value: float


class SearchState:
    """The trials of a search, numbered from 0 over all arms, and their results.

    Args:
        space: the arms.
        ladders: the rungs of each arm, by its name.
        options: how settings are proposed and promoted; `trials` is of each arm, and may grow later.
        first: settings to try first, by the arm's name.
    """

    def __init__(
        self,
        space: Space,
        ladders: Mapping[str, Sequence[Rung]],
        options: SearchOptions,
        first: Mapping[str, Sequence[Setting]],
    ) -> None:
        self.arms: dict[str, Arm] = {arm.name: arm for arm in space}
        self.ladders, self.options, self._first = ladders, options, first
        self.settings: list[Setting] = []
        self.results: dict[Step, float | None] = {}
        self.begun: dict[Step, None] = {}  # steps with a run, in their order
        self._original: dict[int, int] = {}  # trial → the earlier one with the same setting
        self._by_arm: dict[str, list[int]] = {arm.name: [] for arm in space}

    @classmethod
    def from_header(cls, header: Header, trials: int) -> Self:
        """Return the state before the first decision of a search.jsonl that begins with `header`.

        Raises KeyError and ValueError where the header is damaged.
        """
        space = space_of_values(header["space"])
        ladders = TypeAdapter(dict[str, list[Rung]]).validate_python(header["rungs"])
        names = ("sampler", "startup", "seed", "eta", "known")
        options = SearchOptions.model_validate({"trials": trials, **{name: header[name] for name in names}})
        return cls(space, ladders, options, read_known_settings(options.known, space))

    def add_line(self, line: Line) -> None:
        """Take up a decision, and before it the results that it knew."""
        self.add_results(line.results)
        if line.setting is not None and line.step is not None:
            self._add_trial(line.setting)
        if line.step is not None and line.step.trial not in self._original:
            self.begun[line.step] = None

    def _add_trial(self, setting: Setting) -> None:
        trial = len(self.settings)
        if setting in self.settings:
            self._original[trial] = self.settings.index(setting)
        self.settings.append(setting)
        self._by_arm[setting.arm].append(trial)

    def add_results(self, results: Iterable[Result]) -> None:
        self.results |= {Step(result.trial, result.rung): result.value for result in results}

    @property
    def pending(self) -> list[Step]:
        """What has begun and has no result, in the order in which it began."""
        return [step for step in self.begun if step not in self.results]

    def rung(self, step: Step) -> Rung:
        """Return what a trial is trained for at a step."""
        return self.ladders[self.settings[step.trial].arm][step.rung]

    def next_step(self, takes_up_paused: bool = False) -> tuple[Step, Setting | None] | None:
        """Return the next step, with the setting of a new trial; None: nothing before another result.

        Promotions come first, to higher rungs before lower ones; then the arm with the fewest trials gets a
        new one. With `takes_up_paused` every trial is promoted to the end of its first run.
        """
        promotions = [
            step for name in self._by_arm if (step := self._promotion(name, takes_up_paused)) is not None
        ]
        if promotions:
            return max(promotions, key=lambda step: step.rung), None
        lacking = [name for name in self._by_arm if len(self._by_arm[name]) < self._limit]
        if not lacking:
            return None
        name = min(lacking, key=lambda arm: len(self._by_arm[arm]))
        return Step(len(self.settings), 0), self._propose(name)

    @property
    def _limit(self) -> int:
        return self.options.trials or 0

    def _promotion(self, name: str, takes_up_paused: bool) -> Step | None:
        """Return the next promotion of an arm, if there is one."""
        rungs, own = self.ladders[name], [t for t in self._by_arm[name] if t not in self._original]
        values = [self._values_at(own, rung) for rung in range(len(rungs))]
        risen = [{t for t in own if Step(t, rung + 1) in self.begun} for rung in range(len(rungs))]
        is_first_run = [rung.seed == rungs[0].seed for rung in rungs[1:]]
        etas = [1 if takes_up_paused and first else self.options.eta for first in is_first_run]
        runs = any(step.trial in own for step in self.pending)
        return next_promotion(values, risen, etas, not runs and len(self._by_arm[name]) >= self._limit)

    def _values_at(self, trials: Sequence[int], rung: int) -> dict[int, float]:
        values = {trial: self.value_at(Step(trial, rung)) for trial in trials}
        return {trial: value for trial, value in values.items() if value is not None}

    def value_at(self, step: Step) -> float | None:
        """Return the value of a trial at a rung, the mean over its seeds so far; None: not known."""
        result = self.results.get(step)
        rungs = self.ladders[self.settings[step.trial].arm]
        if result is None or rungs[step.rung].epochs is not None:
            return result
        of_seeds = [
            self.results.get(Step(step.trial, rung))
            for rung in range(step.rung + 1)
            if rungs[rung].epochs is None
        ]
        return fmean(value for value in of_seeds if value is not None)

    def highest(self, trial: int) -> Incumbent | None:
        """Return the highest rung at which a trial has a value; None: it has none yet."""
        trial = self._original.get(trial, trial)
        for rung in reversed(range(len(self.ladders[self.settings[trial].arm]))):
            value = self.value_at(Step(trial, rung))
            if value is not None:
                return Incumbent(trial, rung, value)
        return None

    def incumbent(self, name: str) -> Incumbent | None:
        """Return the best trial of an arm; None where none has a finite value."""
        reached = [self.highest(trial) for trial in self._by_arm[name]]
        finite = [best for best in reached if best is not None and math.isfinite(best.value)]
        return min(finite, key=lambda best: (-best.rung, best.value, best.trial), default=None)

    def trials_of(self, name: str) -> list[int]:
        """Return the trials of an arm, in their order."""
        return list(self._by_arm[name])

    def run_steps(self, name: str) -> list[Step]:
        """Return one step for each run of an arm that has begun, in the order of their trials and seeds."""
        first = {(step.trial, self.rung(step).seed): step for step in reversed(self.begun)}
        own = set(self._by_arm[name])
        return sorted(step for step in first.values() if step.trial in own)

    @property
    def is_complete(self) -> bool:
        """Whether every arm has all its trials, and nothing is to be promoted or trained."""
        has_all = all(len(trials) >= self._limit for trials in self._by_arm.values())
        return has_all and not self.pending and not any(self._promotion(name, False) for name in self._by_arm)

    def past_trials(self, name: str) -> list[PastTrial]:
        """Return the trials of an arm as its sampler sees them."""
        past = []
        for trial in self._by_arm[name]:
            best, first = self.highest(trial), Step(self._original.get(trial, trial), 0)
            has_failed = best is None and first in self.results
            past.append(PastTrial(self.settings[trial], best.value if best else None, has_failed))
        return past

    def _propose(self, name: str) -> Setting:
        number, first = len(self._by_arm[name]), self._first.get(name, ())
        chosen = first[number] if number < len(first) else None
        return propose(self.arms[name], self.past_trials(name), self.options, chosen)


def unlike_replay(header: Header, lines: Sequence[Line], trials: int) -> list[int]:
    """Return the lines of a search.jsonl, by their number in the file, that a replay decides otherwise.

    Each decision is made again from what was known when it was made. `trials` is the search's, of each arm; a
    search that was enlarged, or asked for rerun=paused, decided some steps on other terms.
    """
    state, unlike = SearchState.from_header(header, trials), []
    for number, line in enumerate(lines, 2):
        state.add_results(line.results)
        if line.step is not None and state.next_step() != (line.step, line.setting):
            unlike.append(number)
        state.add_line(line)
    return unlike
