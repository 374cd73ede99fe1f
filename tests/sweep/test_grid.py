import pytest

from tangsweep.errors import UserError
from tangsweep.sweep.grid import expand, merged, swept_keys


def test_every_combination_in_the_order_written() -> None:
    overrides = merged({}, ["optimizer=a,b", "seed=range(2)", "x.y=[1,2]", "+new=1", "~gone"])
    assert swept_keys(overrides) == ["optimizer", "seed"]
    fixed = ["x.y=[1,2]", "+new=1", "~gone"]
    assert expand(overrides) == [[f"optimizer={o}", f"seed={s}", *fixed] for o in ("a", "b") for s in (0, 1)]


def test_the_command_line_narrows_the_file() -> None:
    overrides = merged({"optimizer": "a,b,c", "lr": "1,2"}, ["optimizer=b", "lr=3,4"])
    assert expand(overrides) == [["optimizer=b", "lr=3"], ["optimizer=b", "lr=4"]]


def test_a_continuous_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"lr=interval\(0,1\) is a continuous range"):
        expand(merged({}, ["lr=interval(0,1)"]))
