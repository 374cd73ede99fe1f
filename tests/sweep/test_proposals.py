"""A study that is made anew for each proposal proposes what a live one does."""

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
import pytest

from tangsweep.config.search_options import SearchOptions
from tangsweep.randomness import derive_seed
from tangsweep.runs.search_log import Setting
from tangsweep.sweep.proposals import PastTrial, propose
from tangsweep.sweep.search_space import Arm, Branch, Choice, Range

STEPPED = Range("rate", 0.01, 1.0, step=0.01)  # which rounding leaves as it is
ONE = Arm("x", (Branch((), (STEPPED, Range("layers", 1, 8, whole=True), Choice("init", ("a", "b", "c")))),))
TWO = Arm(
    "x",
    (
        Branch(("optimizer=sgd",), (STEPPED, Range("momentum", 0.0, 0.98, step=0.02))),
        Branch(("optimizer=adam",), (STEPPED,)),
    ),
)


def score(setting: Setting) -> float:
    """A rate of 0.3 is best; letters and branches shift it."""
    parameters = setting.parameters
    shift = {"a": 0.0, "b": 0.2, "c": 0.4}.get(parameters.get("init", "a"), 0) + 0.1 * setting.branch
    return (float(parameters["rate"]) - 0.3) ** 2 + shift + float(parameters.get("momentum", 0)) / 9


class Live:
    """A study that lives on, with a sampler of the same seeds, as Optuna's own pages would have it."""

    def __init__(self, arm: Arm, options: SearchOptions) -> None:
        self.arm, self.options = arm, options
        self.study = optuna.create_study()
        self.trials: list[optuna.Trial] = []

    def ask(self) -> Setting:
        seed = derive_seed(self.options.seed, "search", self.arm.name, len(self.trials)) % 2**32
        self.study.sampler = (
            optuna.samplers.RandomSampler(seed=seed)
            if self.options.sampler == "random"
            else optuna.samplers.TPESampler(
                seed=seed,
                n_startup_trials=self.options.startup,
                multivariate=True,
                group=True,
                constant_liar=True,
            )
        )
        trial = self.study.ask()
        self.trials.append(trial)
        several = len(self.arm.branches) > 1
        branch = trial.suggest_categorical("branch", range(len(self.arm.branches))) if several else 0
        suffix = f" [{self.arm.labels[branch]}]" if several else ""
        texts = {}
        for p in self.arm.branches[branch].parameters:
            name = p.key + suffix
            if isinstance(p, Choice):
                value: Any = trial.suggest_categorical(name, p.values)
            elif p.whole:
                value = trial.suggest_int(name, int(p.low), int(p.high))
            else:
                value = trial.suggest_float(name, p.low, p.high, step=p.step)
            texts[p.key] = value if isinstance(p, Choice) else p.text(value)
        return Setting(self.arm.name, branch, texts)


@pytest.mark.parametrize(
    ("arm", "at_once", "sampler"),
    [(ONE, 1, "tpe"), (ONE, 2, "tpe"), (ONE, 3, "random"), (TWO, 1, "tpe"), (TWO, 2, "random")],
)
def test_rebuilt_equals_live(arm: Arm, at_once: int, sampler: Any) -> None:
    """Not so two branches with two workers: Optuna lets a running trial count in the branch not taken, too."""
    options = SearchOptions(trials=30, sampler=sampler, startup=5, seed=3)
    past: list[PastTrial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        live = Live(arm, options)
        for number in range(30):
            setting = live.ask()
            assert propose(arm, past, options) == setting
            past.append(PastTrial(setting, None))
            ended = number + 1 - at_once  # the oldest that runs ends
            if ended >= 0:
                value = score(past[ended].setting)
                live.study.tell(live.trials[ended], value)
                past[ended] = past[ended]._replace(value=value)
    assert len({tuple(trial.setting.parameters.items()) for trial in past}) > 15


def draw(arm: Arm, sampler: Any, count: int, **options: Any) -> list[PastTrial]:
    past: list[PastTrial] = []
    chosen = SearchOptions(trials=count, sampler=sampler, **options)
    for _ in range(count):
        setting = propose(arm, past, chosen)
        past.append(PastTrial(setting, score(setting)))
    return past


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_models_come_nearer_than_chance(sampler: str) -> None:
    def best(name: str) -> float:
        return min(trial.value or 0 for trial in draw(ONE, name, 25, startup=8))

    assert best(sampler) <= best("random")
    assert draw(ONE, sampler, 9, startup=4) == draw(ONE, sampler, 9, startup=4)


def test_quasi_random_draws_fill_every_part_of_a_range() -> None:
    plain = Arm("x", (Branch((), (Range("rate", 0.0, 1.0), Range("momentum", 0.0, 1.0))),))
    for key in ("rate", "momentum"):
        values = [float(trial.setting.parameters[key]) for trial in draw(plain, "qmc", 16)]
        assert sorted(int(value * 15.999) for value in values) == list(range(16))
    branches = [trial.setting.branch for trial in draw(TWO, "qmc", 16)]
    assert branches.count(0) == 8


def test_another_seed_draws_others_and_an_arm_its_own() -> None:
    def first(arm: Arm, seed: int) -> Sequence[str]:
        return list(draw(arm, "random", 1, seed=seed)[0].setting.parameters.values())

    drawn = [first(ONE, 0), first(ONE, 1), first(ONE._replace(name="y"), 0)]
    assert all(one != other for one, other in itertools.combinations(drawn, 2))


@pytest.mark.parametrize("sampler", ["tpe", "qmc"])
def test_a_setting_to_try_first_is_completed(sampler: Any) -> None:
    options = SearchOptions(trials=9, sampler=sampler)
    setting = propose(ONE, [], options, Setting("x", 0, {"rate": "0.25"}))
    assert setting.parameters["rate"] == "0.25"
    assert set(setting.parameters) == {"rate", "layers", "init"}


def test_failed_and_diverged_trials_are_no_obstacle() -> None:
    past = draw(ONE, "random", 12)
    past[3] = past[3]._replace(value=None, has_failed=True)
    past[4] = past[4]._replace(value=float("inf"))
    for sampler in ("tpe", "gp"):
        assert propose(ONE, past, SearchOptions(trials=20, sampler=sampler, startup=4)).arm == "x"  # type: ignore[arg-type]
