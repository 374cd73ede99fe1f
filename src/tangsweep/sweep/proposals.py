"""Proposes the next setting of an arm, from the settings before it and what is known of them.

Optuna models them. Its study is made anew for each proposal, from plain values and with a sampler whose seed
follows from the search's seed and the number of the trial: what a live study would propose, after any kill.
"""

import copy
import importlib.util
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tangsweep.config.search_options import SearchOptions
from tangsweep.errors import UserError
from tangsweep.randomness import derive_seed
from tangsweep.runs.search_log import Setting
from tangsweep.sweep.search_space import Arm, Choice, Parameter

if TYPE_CHECKING:  # half a second, and an extra
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

BRANCH = "branch"  # Optuna's name of the choice of a branch, where an arm has several
ABOVE_WORST = 1.0  # by which a trial that diverged is worse than the worst other one


class PastTrial(NamedTuple):
    """An earlier trial of the arm."""

    setting: Setting
    value: float | None  # infinite: it diverged; None: not known yet
    has_failed: bool = False


def check_optuna(sampler: str) -> None:
    """Raise UserError where the sampler needs Optuna and it is not installed."""
    if sampler != "qmc" and importlib.util.find_spec("optuna") is None:
        raise UserError("a search needs Optuna: pip install -c constraints.txt -e '.[search]'")


def propose(
    arm: Arm, past: Sequence[PastTrial], options: SearchOptions, first: Setting | None = None
) -> Setting:
    """Return the setting of the next trial of an arm, whose trials so far are `past`.

    `first` is a setting that the search was told to try; parameters that it does not name are proposed.
    """
    number = len(past)
    if options.sampler == "qmc":
        return _spread_evenly(arm, number, options.seed, first)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls conditional spaces experimental
        sampler = _sampler(options, derive_seed(options.seed, "search", arm.name, number))
        study = make_study(arm, past, sampler)
        if first is not None:
            study.enqueue_trial(optuna_parameters(arm, first))
        return _suggest(study.ask(), arm)


def _sampler(options: SearchOptions, seed: int) -> "BaseSampler":
    from optuna import samplers

    seed %= 2**32
    if options.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if options.sampler == "gp":
        return samplers.GPSampler(seed=seed, n_startup_trials=options.startup)
    return samplers.TPESampler(
        seed=seed, n_startup_trials=options.startup, multivariate=True, group=True, constant_liar=True
    )


def make_study(arm: Arm, past: Sequence[PastTrial], sampler: "BaseSampler | None" = None) -> "Study":
    """Return an Optuna study in memory that holds the trials so far."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    finite = [t.value for t in past if t.value is not None and math.isfinite(t.value)]
    worst = max(finite, default=0.0) + ABOVE_WORST
    distributions = [_distributions(arm, branch) for branch in range(len(arm.branches))]
    study.add_trials([_frozen(arm, trial, distributions[trial.setting.branch], worst) for trial in past])
    return study


def _frozen(
    arm: Arm, trial: PastTrial, distributions: "Mapping[str, BaseDistribution]", worst: float
) -> "FrozenTrial":
    """Return an earlier trial as Optuna has it: complete where anything is known of it, however little.

    A trial that is paused counts with its value so far. Optuna's own pruned trials are worse than any
    complete one; but a trial that diverged, or lost patience early, is complete and may be worse than all.
    """
    from optuna.trial import TrialState, create_trial

    if trial.has_failed:
        state, value = TrialState.FAIL, None
    elif trial.value is None:
        state, value = TrialState.RUNNING, None
    else:
        state, value = TrialState.COMPLETE, min(trial.value, worst)
    params = optuna_parameters(arm, trial.setting)
    frozen = create_trial(state=state, value=value, params=params, distributions=dict(distributions))
    frozen.__class__ = _shared_class()
    return frozen


def optuna_parameters(arm: Arm, setting: Setting) -> dict[str, str | float | int]:
    """Return Optuna's names and values of a setting; a name is a branch's own where an arm has several."""
    values: dict[str, str | float | int] = {BRANCH: setting.branch} if len(arm.branches) > 1 else {}
    for parameter in arm.branches[setting.branch].parameters:
        if parameter.key in setting.parameters:
            text = setting.parameters[parameter.key]
            number = text if isinstance(parameter, Choice) else int(text) if parameter.whole else float(text)
            values[_name(arm, setting.branch, parameter)] = number
    return values


def _name(arm: Arm, branch: int, parameter: Parameter) -> str:
    return f"{parameter.key} [{arm.labels[branch]}]" if len(arm.branches) > 1 else parameter.key


def _distributions(arm: Arm, branch: int) -> "dict[str, BaseDistribution]":
    from optuna.distributions import CategoricalDistribution

    several = len(arm.branches) > 1
    choice: dict[str, BaseDistribution] = (
        {BRANCH: CategoricalDistribution(range(len(arm.branches)))} if several else {}
    )
    return choice | {_name(arm, branch, p): _distribution(p) for p in arm.branches[branch].parameters}


def _distribution(parameter: Parameter) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if parameter.whole:
        low, high, step = int(parameter.low), int(parameter.high), int(parameter.step or 1)
        return IntDistribution(low, high, log=parameter.log, step=step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


@cache
def _shared_class() -> "type[FrozenTrial]":
    """Return FrozenTrial with a shallow copy in the place of a deep one: a thousand take 0.01 s, not 0.25 s.

    What is copied is not changed afterwards but for its number.
    """
    from optuna.trial import FrozenTrial

    class SharedTrial(FrozenTrial):
        def __deepcopy__(self, memo: object) -> "SharedTrial":
            return copy.copy(self)

    return SharedTrial


def _suggest(trial: "Trial", arm: Arm) -> Setting:
    several = len(arm.branches) > 1
    branch = int(trial.suggest_categorical(BRANCH, range(len(arm.branches)))) if several else 0
    parameters = arm.branches[branch].parameters
    return Setting(
        arm.name, branch, {p.key: _suggest_text(trial, _name(arm, branch, p), p) for p in parameters}
    )


def _suggest_text(trial: "Trial", name: str, parameter: Parameter) -> str:
    if isinstance(parameter, Choice):
        return str(trial.suggest_categorical(name, parameter.values))
    if parameter.whole:
        low, high, step = int(parameter.low), int(parameter.high), int(parameter.step or 1)
        return parameter.text(trial.suggest_int(name, low, high, step=step, log=parameter.log))
    number = trial.suggest_float(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
    return parameter.text(number)


def _spread_evenly(arm: Arm, number: int, seed: int, first: Setting | None) -> Setting:
    """Return the setting at a point of a scrambled Sobol sequence (Owen 1998).

    Optuna's own sampler keeps its place in the sequence in the study, which is made anew here.
    """
    from scipy.stats import qmc

    widest = max(len(branch.parameters) for branch in arm.branches)
    generator = qmc.Sobol(1 + widest, scramble=True, seed=derive_seed(seed, "search", arm.name) % 2**32)
    if number:  # 0 would overflow
        generator.fast_forward(number)
    point = generator.random(1)[0]
    branch = first.branch if first else int(point[0] * len(arm.branches))
    parameters = arm.branches[branch].parameters
    spread = {p.key: p.at(float(x)) for p, x in zip(parameters, point[1:], strict=False)}
    return Setting(arm.name, branch, spread | (first.parameters if first else {}))
