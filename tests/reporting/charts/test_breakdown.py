"""Where the nats go: kinds in words, and one sentence on what makes most of the loss."""

from pathlib import Path
from typing import Any

import pytest

from tangsweep.reporting.blocks import Chart, Table
from tangsweep.reporting.charts.breakdown import FREQUENCY, kind_label
from tests.reporting.written_sweeps import cells, find_block, record, report_of, write_run


def write_breakdowns(sweep: Path) -> None:
    for optimizer, rare in (("adam", 400.0), ("sgd", 500.0)):
        kinds: dict[str, Any] = {
            "0. never": {"nats": rare, "characters": 40},
            "1. 1": {"nats": 100.0, "characters": 20},
            "2. 2 to 4": {"nats": 300.0, "characters": 140},
        }
        ways = {FREQUENCY: kinds, "slot": {"punctuation": {"nats": rare + 400.0, "characters": 200}}}
        result = record(rare, overrides=[f"optimizer={optimizer}"], breakdown={"set": "test", "ways": ways})
        write_run(sweep, f"{optimizer}-0", result, optimizer___target_=f"torch.optim.{optimizer}")


def test_the_dearest_kind_is_named_with_its_share(sweep: Path) -> None:
    write_breakdowns(sweep)
    section = next(s for s in report_of(sweep).sections if s.title == "Where the nats go")
    assert section.blocks[0] == (
        "50% of the loss of adam's run lies in characters that training never shows, which are 20% of the text."
    )


def test_every_kind_is_a_row_in_words_on_one_scale(sweep: Path) -> None:
    write_breakdowns(sweep)
    report = report_of(sweep)
    assert cells(find_block(report, "Where", Table), "kind") == [
        "never",
        "once",
        "2 to 4 times",
        "punctuation",
    ]
    spec = find_block(report, "Where", Chart).spec
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert [row["label"] for row in rows if row["group"] == "sgd"] == [
        "never · 20%", "once · 10%", "2 to 4 times · 70%", "punctuation · 100%",
    ]  # fmt: skip
    domains = {str(p["layer"][1]["encoding"]["x"]["scale"]["domain"]) for p in spec["concat"]}
    assert domains == {str([0, 12.5 * 1.04])}


@pytest.mark.parametrize(
    ("way", "kind", "label"),
    [
        (FREQUENCY, "6. 200 and more", "200 times or more"),
        (FREQUENCY, "odd", "odd times"),
        ("place in the line", "8 and more", "8 and more"),
        ("slot", "1. x", "1. x"),
    ],
)
def test_kinds_in_words(way: str, kind: str, label: str) -> None:
    assert kind_label(way, kind) == label
