"""Ranges of overrides become typed parameters; what cannot be searched is answered in one line."""

import math
from functools import partial

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.errors import UserError
from tangsweep.sweep.search_known import read_known_settings
from tangsweep.sweep.search_space import (
    Choice,
    Range,
    Space,
    describe_parameter,
    read_space,
    space_of_values,
    space_values,
)

NORMAL = partial(st.floats, allow_subnormal=False)  # training in this process flushes others to 0
LR = "optimizer.lr=tag(log,interval(1e-4,1))"


def grid(*texts: str) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(texts))


def space(*grids: list[Override], compare: list[str] | None = None) -> Space:
    return read_space(grids, compare)


def test_each_optimizer_is_an_arm_with_its_own_parameters() -> None:
    arms = space(
        grid("optimizer=sgd,momentum", LR, "trainer.patience=2"),
        grid("optimizer=adam", "optimizer.lr=interval(0.001,0.1)", "optimizer.betas=[0.9,0.99],[0.8,0.9]"),
    )
    assert [arm.name for arm in arms] == ["optimizer=sgd", "optimizer=momentum", "optimizer=adam"]
    [branch] = arms[0].branches
    assert branch.fixed == ("optimizer=sgd", "trainer.patience=2")
    assert branch.parameters == (Range("optimizer.lr", 1e-4, 1, log=True),)
    assert arms[2].branches[0].parameters == (
        Range("optimizer.lr", 0.001, 0.1),
        Choice("optimizer.betas", ("[0.9,0.99]", "[0.8,0.9]")),
    )


def test_where_nothing_is_compared_grids_are_branches_of_one_search() -> None:
    [arm] = space(
        grid("optimizer=sgd", LR), grid("optimizer=adam", LR, "optimizer.weight_decay=0.1"), compare=[]
    )
    assert arm.name == "all"
    assert arm.labels == ["optimizer=sgd", "optimizer=adam optimizer.weight_decay=0.1"]


@pytest.mark.parametrize(
    ("text", "parameter", "description"),
    [
        ("a=interval(0,2)", Range("a", 0, 2), "a from 0 to 2"),
        ("a=tag(int,log,interval(8,64))", Range("a", 8, 64, True, True), "a from 8 to 64 (whole, log)"),
        ("a=int(interval(1,5))", Range("a", 1, 5, whole=True), "a from 1 to 5 (whole)"),
        ("a=range(1,10)", Range("a", 1, 9, whole=True, step=1), "a from 1 to 9 (whole, in steps of 1)"),
        ("a=range(0.0,0.5,0.1)", Range("a", 0, 0.4, step=0.1), "a from 0 to 0.4 (in steps of 0.1)"),
        ("a=choice(relu,tanh)", Choice("a", ("relu", "tanh")), "a relu | tanh"),
    ],
)
def test_kinds_of_parameters(text: str, parameter: Range | Choice, description: str) -> None:
    [arm] = space(grid(text), compare=[])
    assert arm.branches[0].parameters == (parameter,)
    assert describe_parameter(parameter) == description


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lr=interval(1,0.1)", "the first number must be below the second"),
        ("optimizer.lr=tag(log,interval(0,1))", "a logarithmic range begins above 0"),
        ("optimizer.lr=tag(cube,interval(0,1))", "there is no tag cube; there are log and int"),
        ("model.layers=tag(int,interval(1,2.5))", "the ends of a range of whole numbers are whole numbers"),
        ("model.layers=tag(log,range(1,5))", "a range with steps has no logarithm"),
        ("init=tag(log,choice(a,b))", "is for interval.. and range.., not for a list"),
        ("optimizer.lr=interval(0,inf)", "a range has two finite ends"),
        ("data.poems=tag(int,interval(10,100))", "is compared, not tuned: name its values"),
        ("seed=0,1", "search.seeds=0,1,2 names the seeds"),
        ("optimizer=adam,sgd", "a search needs a range"),
    ],
)
def test_bad_spaces_are_answered_in_one_line(text: str, message: str) -> None:
    compare = [] if text.startswith("init") else None
    with pytest.raises(UserError, match=message) as error:
        space(grid(text), compare=compare)
    assert "\n" not in str(error.value)


def test_data_is_never_tuned() -> None:
    with pytest.raises(UserError, match=r"data\.poems=.* cannot be tuned"):
        space(grid("data.poems=tag(int,interval(10,100))", LR), compare=["optimizer"])


def test_grids_that_cannot_be_told_apart_conflict() -> None:
    with pytest.raises(UserError, match="two grids of the search are for optimizer=adam: give it one grid"):
        space(grid("optimizer=adam", LR), grid("optimizer=adam,sgd", "optimizer.lr=interval(1,2)"))


def test_plain_values_give_the_space_back() -> None:
    whole = space(
        grid("optimizer=sgd", LR, "model.layers=tag(int,interval(1,3))"),
        grid("optimizer=adam", LR, "init=choice(zeros,normal)"),
        compare=["optimizer"],
    )
    assert space_of_values(space_values(whole)) == whole


@given(NORMAL(1e-8, 1e3), NORMAL(1.001, 1e6), NORMAL(0, 1, exclude_max=True), st.booleans())
def test_values_have_four_digits_and_stay_in_their_range(
    low: float, factor: float, fraction: float, log: bool
) -> None:
    parameter = Range("a", low, low * factor, log)
    text = parameter.at(fraction)
    assert parameter.low <= float(text) <= parameter.high
    assert float(text) in (low, low * factor) or float(f"{float(text):.4g}") == float(text)


@given(NORMAL(0, 1, exclude_max=True))
def test_whole_numbers_reach_both_ends(fraction: float) -> None:
    for parameter in (
        Range("a", 2, 5, whole=True),
        Range("a", 2, 64, True, True),
        Range("a", 1, 9, False, True, 2),
    ):
        assert parameter.low <= int(parameter.at(fraction)) <= parameter.high
        ends = [parameter.at(0.0), parameter.at(math.nextafter(1, 0))]
        assert ends == [str(int(parameter.low)), str(int(parameter.high))]


def test_known_settings_find_their_branch() -> None:
    arms = space(
        grid("optimizer=sgd", LR), grid("optimizer=adam", LR, "optimizer.weight_decay=interval(0,1)")
    )
    first = read_known_settings(["optimizer=adam optimizer.lr=1e-3", "optimizer=sgd optimizer.lr=0.5"], arms)
    assert first["optimizer=adam"][0].parameters == {"optimizer.lr": "0.001"}
    assert first["optimizer=sgd"][0].overrides() == ["optimizer.lr=0.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer=adam optimizer.lr=3", "fits no value of the space"),
        ("optimizer=rmsprop", "fits no value of the space"),
        ("optimizer.lr=0.1", "fits 2 values of the space"),
        ("optimizer adam", "is no list of overrides"),
        ("optimizer='adam", "cannot be read"),
    ],
)
def test_known_settings_outside_the_space_are_refused(text: str, message: str) -> None:
    arms = space(grid("optimizer=sgd,adam", LR))
    with pytest.raises(UserError, match=f"search.known: {text} {message}"):
        read_known_settings([text], arms)
