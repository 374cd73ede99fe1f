"""The best setting by development scores: by hand, and whatever the order of the runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.runs.best_setting import (
    DevelopmentCost,
    MeanCost,
    Setting,
    best_setting,
    development_cost,
    mean_costs,
    pick_setting,
)
from tangsweep.runs.record import Record

SLOW, FAST, WILD = ((("optimizer.lr", rate),) for rate in ("0.01", "0.1", "3.0"))
Costs = dict[Setting, list[DevelopmentCost]]


def costs(*by_seed: float, total: float = 1.0) -> list[DevelopmentCost]:
    """Return the costs of seeds 0, 1, …; infinity is a run that failed."""
    return [
        DevelopmentCost(seed, math.inf if cost == math.inf else total, cost)
        for seed, cost in enumerate(by_seed)
    ]


def test_the_lowest_mean_over_seeds_is_best() -> None:
    assert best_setting({SLOW: costs(2.0, 2.0), FAST: costs(1.0, 2.9), WILD: costs(2.5, 2.5)}) == FAST


def test_a_setting_that_failed_once_comes_behind_those_that_never_did() -> None:
    tried = {SLOW: costs(5.0, 5.0, 5.0), FAST: costs(1.0, 1.0, math.inf)}
    assert best_setting(tried) == SLOW
    assert mean_costs(tried)[FAST] == MeanCost(1, 1.0)


def test_where_all_failed_once_the_one_that_failed_least_is_best() -> None:
    tried = {SLOW: costs(5.0, 5.0, math.inf), FAST: costs(1.0, math.inf, math.inf)}
    assert best_setting(tried) == SLOW


def test_a_seed_that_a_setting_lacks_is_no_better_than_one_that_failed() -> None:
    """Its only run is the lucky one of a sweep that is not done."""
    assert best_setting({SLOW: costs(2.0, 4.0), FAST: costs(2.5)}) == SLOW


def test_nothing_is_best_where_no_run_has_a_score() -> None:
    assert best_setting({SLOW: costs(math.inf), FAST: costs(math.inf)}) is None
    assert best_setting({}) is None


def test_all_characters_choose_where_one_run_has_no_score_of_the_others() -> None:
    tried = {SLOW: costs(1.0, total=3.0), FAST: costs(2.0, total=2.0)}
    assert best_setting(tried) == SLOW
    tried[WILD] = [DevelopmentCost(0, 9.0, math.inf)]
    assert best_setting(tried) == FAST
    tried[WILD] = costs(math.inf)  # failed: it has no score of either kind, and changes nothing
    assert best_setting(tried) == SLOW


def test_runs_of_one_seed_count_once() -> None:
    twice = [*costs(1.0, 4.0), DevelopmentCost(0, 1.0, 2.0)]
    assert mean_costs({SLOW: twice})[SLOW] == MeanCost(0, pytest.approx(2.75))


COST = st.builds(
    DevelopmentCost,
    st.integers(0, 2),
    st.sampled_from([1.0, 2.0, math.inf]),
    st.sampled_from([1.0, 1.1, 3.0, math.inf]),
)


@given(st.permutations([SLOW, FAST, WILD]), st.lists(st.lists(COST, max_size=4), min_size=3, max_size=3))
def test_the_order_of_settings_and_runs_decides_nothing(
    order: list[Setting], drawn: list[list[DevelopmentCost]]
) -> None:
    tried = dict(zip((SLOW, FAST, WILD), drawn, strict=True))
    turned = {setting: tried[setting][::-1] for setting in order}
    assert best_setting(turned) == best_setting(tried)


def test_what_a_record_costs() -> None:
    done = {"status": "done", "primary": {"metric": "perplexity"}}
    losses = Record.model_validate({**done, "dev": {"loss": 2.0, "known_loss": 1.5}})
    assert development_cost(losses, 4) == DevelopmentCost(4, 2.0, 1.5)
    older = Record.model_validate({**done, "dev": {"perplexity": math.e**2}})
    assert development_cost(older, 4) == DevelopmentCost(4, pytest.approx(2.0), math.inf)
    share = Record.model_validate(
        {"status": "done", "primary": {"metric": "accuracy"}, "dev": {"accuracy": 0.9}}
    )
    assert development_cost(share, 4).total == -0.9
    nothing = DevelopmentCost(4, math.inf, math.inf)
    diverged = Record.model_validate({"status": "diverged", "dev": {"loss": 2.0, "known_loss": 1.5}})
    assert development_cost(diverged, 4) == development_cost(None, 4) == nothing
    assert development_cost(Record.model_validate({**done, "dev": {"loss": math.nan}}), 4) == nothing


def test_settings_are_equal_whatever_the_order_of_their_overrides() -> None:
    values = {"optimizer.lr": "0.1", "init": "zeros", "seed": "3"}
    assert pick_setting(values, ["optimizer.lr", "init", "cell"]) == (
        ("init", "zeros"),
        ("optimizer.lr", "0.1"),
    )
