"""Grids of a sweep file, the command line on top of them, and their expansion to jobs."""

import pytest
from omegaconf import OmegaConf

from tangsweep.errors import UserError
from tangsweep.sweep.grid import expand_grid, expand_grids, parse_grids, read_grids, swept_keys


def test_every_combination_in_the_order_written() -> None:
    [overrides] = parse_grids([{}], ["optimizer=a,b", "seed=range(2)", "x.y=[1,2]", "+new=1", "~gone"])
    assert swept_keys(overrides) == ["optimizer", "seed"]
    fixed = ["x.y=[1,2]", "+new=1", "~gone"]
    assert expand_grid(overrides) == [
        [f"optimizer={o}", f"seed={s}", *fixed] for o in ("a", "b") for s in (0, 1)
    ]


def test_the_command_line_narrows_the_file() -> None:
    [overrides] = parse_grids([{"optimizer": "a,b,c", "lr": "1,2"}], ["optimizer=b", "lr=3,4"])
    assert expand_grid(overrides) == [["optimizer=b", "lr=3"], ["optimizer=b", "lr=4"]]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ("a,b", "a,b"),
        (3, "3"),
        (None, "null"),
        ([1, 0.5, None, True, "x"], "1,0.5,null,true,x"),
        ([[0, 1], [2]], "[0,1],[2]"),
        ("0", "0"),
    ],
)
def test_values_of_a_file_are_written_as_on_the_command_line(values: object, text: str) -> None:
    assert read_grids(OmegaConf.create({"key": values}), []) == [{"key": text}]
    assert read_grids({}, [{"key": values}, {}]) == [{"key": text}, {}]


def test_a_file_without_grids() -> None:
    assert read_grids(None, None) == read_grids({}, []) == [{}]
    for params, grids in (("optimizer", None), ({}, ["optimizer"]), ({}, "optimizer")):
        with pytest.raises(UserError, match=r"hydra\.sweeper\.params is keys with their values"):
            read_grids(params, grids)


def test_a_continuous_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"lr=interval\(0,1\) is a continuous range"):
        expand_grids(parse_grids([{}], ["lr=interval(0,1)"]))


GRIDS = [
    {"optimizer": "sgd", "lr": "1,2", "seed": "0,1"},
    {"optimizer": "adam,adamw", "lr": "3", "seed": "0,1"},
]


def jobs(*arguments: str) -> list[str]:
    return [
        " ".join(part.partition("=")[2] for part in job)
        for job in expand_grids(parse_grids(GRIDS, arguments))
    ]


def test_the_union_of_grids() -> None:
    assert jobs() == [
        "sgd 1 0",
        "sgd 1 1",
        "sgd 2 0",
        "sgd 2 1",
        "adam 3 0",
        "adam 3 1",
        "adamw 3 0",
        "adamw 3 1",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["optimizer=adam", "seed=5"], ["adam 3 5"]),
        (["optimizer=sgd,adamw", "seed=0"], ["sgd 1 0", "sgd 2 0", "adamw 3 0"]),
        (["lr=2,3", "seed=1"], ["sgd 2 1", "adam 3 1", "adamw 3 1"]),
        (["lr=9", "seed=0"], ["sgd 9 0", "adam 9 0", "adamw 9 0"]),
        (["optimizer=lion", "seed=0", "lr=1"], ["lion 1 0"]),
        (["seed=0", "lr=1", "x=7"], ["sgd 1 0 7"]),
    ],
)
def test_the_command_line_chooses_among_grids(arguments: list[str], expected: list[str]) -> None:
    assert jobs(*arguments) == expected


def test_a_job_of_two_grids_is_trained_once() -> None:
    twice = parse_grids([{"lr": "1,2"}, {"lr": "2,3"}], [])
    assert expand_grids(twice) == [["lr=1"], ["lr=2"], ["lr=3"]]
