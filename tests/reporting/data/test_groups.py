"""Runs that differ only in their seed form a group with a readable name."""

from pathlib import Path

from tangsweep.reporting.blocks import Table
from tests.reporting.written_sweeps import cells, find_block, record, report_of, write_run


def test_keys_that_came_later_make_no_group(sweep: Path) -> None:
    write_run(sweep, "old-1", record(400.0))
    write_run(
        sweep, "new-1", record(410.0, seed=1, overrides=["seed=1"]), trainer={"threads": 1, "give_up": False}
    )
    assert cells(find_block(report_of(sweep), "Ranking", Table), "group") == ["default"]


def test_a_group_named_after_nothing_keeps_its_key(sweep: Path) -> None:
    for value, score in (("null", 400.0), ("cosine", 300.0)):
        write_run(sweep, value, record(score, overrides=[f"scheduler={value}"]), optimizer__lr=score)
    assert report_of(sweep).tables["ranking"]["group"].tolist() == ["cosine", "scheduler=null"]
