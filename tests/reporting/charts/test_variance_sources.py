"""The bar of variance by source, of sweeps that vary seed, order or split."""

import math
from pathlib import Path
from typing import Any

import pytest

from tangsweep.reporting.blocks import Chart, Section, Table
from tangsweep.reporting.build import rank_comparable_runs
from tangsweep.reporting.charts.variance_sources import variance_source_section
from tangsweep.reporting.data.collect import SweepData, collect
from tests.reporting.written_sweeps import CORPUS, cells, record, write_run

INITIALIZATION, ORDER = "initialization (seed)", "order (order_seed)"
TOGETHER, SPLIT = "initialization and order (seed)", "split (data.split_seed)"


def write(
    sweep: Path,
    loss: float,
    seed: int,
    split: int,
    order: int | None,
    optimizer: str = "adam",
    **changes: Any,
) -> None:
    """Write a run of a split, which has a text and a vocabulary of its own."""
    characters = {"train": 5000, "dev": 700, "test": 600}
    facts = {**CORPUS, "dev_fingerprint": f"d{split}", "vocabulary_fingerprint": f"v{split}"}
    facts["characters"] = characters
    overrides = [f"optimizer={optimizer}", f"seed={seed}", f"data.split_seed={split}", f"order_seed={order}"]
    result = record(math.exp(loss), seed=seed, overrides=overrides, corpus=facts, **changes)
    config: dict[str, Any] = {
        "optimizer___target_": optimizer,
        "data__split_seed": split,
        "order_seed": order,
    }
    write_run(sweep, f"{optimizer}-{seed}-{split}-{order}", result, **config)


def section_of(*sweeps: Path) -> tuple[SweepData, Section | None]:
    data = collect(sweeps)
    return data, variance_source_section(data, rank_comparable_runs(data))


def test_three_sources(sweep: Path) -> None:
    """By hand: values 0 and 1, 0 and 2, 0 and 3 tenths have variances 0.005, 0.02 and 0.045."""
    for seed in (0, 1):
        for order in (5, 6):
            for split in (0, 1):
                loss = 5 + 0.1 * seed + 0.2 * (order - 5) + 0.3 * split
                write(sweep, loss, seed, split, order)
                write(sweep, 6 + 0.2 * seed + 0.2 * (order - 5), seed, split, order, "sgd")
    data, section = section_of(sweep)
    assert section is not None and section.title == "Sources of variance"
    assert len(rank_comparable_runs(data)) == 2  # one per split
    table = section.tables["variance_sources"]
    assert table.columns.tolist() == [
        "group", "source", "standard_deviation", "variance", "share", "sets", "runs"
    ]  # fmt: skip
    assert table["group"].tolist() == ["adam"] * 3 + ["sgd"] * 3
    assert table["source"].tolist() == [INITIALIZATION, ORDER, SPLIT] * 2
    assert table["variance"].tolist() == pytest.approx([0.005, 0.02, 0.045, 0.02, 0.02, 0], abs=1e-9)
    assert table["share"].tolist() == pytest.approx([5 / 70, 20 / 70, 45 / 70, 0.5, 0.5, 0], abs=1e-9)
    assert table["sets"].tolist() == [4] * 6 and table["runs"].tolist() == [8] * 6
    [shown] = [block for block in section.blocks if isinstance(block, Table)]
    assert cells(shown, "standard deviation (nats)")[:3] == ["0.0707", "0.141", "0.212"]
    assert cells(shown, "share of the variance")[:3] == ["7%", "29%", "64%"]
    [chart] = [block for block in section.blocks if isinstance(block, Chart)]
    assert chart.name == "variance_sources" and "Bouthillier" in chart.caption
    assert "order_seed is null" not in chart.caption and "the text that is scored" in chart.caption
    assert chart.spec["encoding"]["x"]["stack"] == "zero"  # type: ignore[index,call-overload]
    assert len(section.blocks) == 2


def test_the_seed_means_both_where_the_order_follows_it(sweep: Path) -> None:
    for seed in (0, 1, 2):
        for split in (0, 1):
            write(sweep, 5 + 0.1 * seed + 0.1 * split, seed, split, None)
    _, section = section_of(sweep)
    assert section is not None
    table = section.tables["variance_sources"]
    assert table["group"].tolist() == ["all", "all"]
    assert table["source"].tolist() == [TOGETHER, SPLIT]
    assert table["variance"].tolist() == pytest.approx([0.01, 0.005])
    assert table["sets"].tolist() == [2, 3] and table["runs"].tolist() == [6, 6]
    [chart] = [block for block in section.blocks if isinstance(block, Chart)]
    assert "Where order_seed is null" in chart.caption


def test_what_was_not_measured_or_has_no_loss_is_named(sweep: Path) -> None:
    """Each split has a seed of its own, so nothing says what splits make; and one run failed."""
    for seed, split, order in ((0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)):
        write(sweep, 5 + 0.1 * seed + 0.01 * order, seed, split, order)
    write(sweep, 5, 1, 1, 2, status="failed", dev=None)
    _, section = section_of(sweep)
    assert section is not None
    table = section.tables["variance_sources"].set_index("source")
    assert table["sets"].to_dict() == {INITIALIZATION: 0, ORDER: 2, SPLIT: 0}
    assert table["share"].isna().all()  # one source alone is no share
    assert not any(isinstance(block, Chart) for block in section.blocks)
    assert section.blocks[1:] == [
        f"Not measured, because no two runs differ in nothing else: {INITIALIZATION} of all, {SPLIT} of all.",
        "Left out, because not done or without this loss: adam-1-1-2.",
    ]
    [shown] = [block for block in section.blocks if isinstance(block, Table)]
    assert cells(shown, "standard deviation (nats)") == ["–", "0.00707", "–"]


def test_test_losses_come_first(sweep: Path) -> None:
    for seed in (0, 1):
        for order in (5, 6):
            test = {"loss": 7.0 + seed, "known_loss": 4.0 + 3 * seed, "perplexity": 50.0}
            write(sweep, 5.0, seed, 0, order, test=test)
    _, section = section_of(sweep)
    assert section is not None
    assert section.tables["variance_sources"]["variance"].fillna(-1).tolist() == [4.5, 0, -1]
    [shown] = [block for block in section.blocks if isinstance(block, Table)]
    assert shown.note.startswith("Test loss over known characters, in nats per character.")


def test_nothing_where_one_key_varies(sweep: Path) -> None:
    for seed in (0, 1, 2):
        write(sweep, 5 + 0.1 * seed, seed, 0, None)
    assert section_of(sweep)[1] is None
    for seed in (0, 1, 2):
        write(sweep, 5 + 0.1 * seed, seed, 1, None, "sgd")  # the split of another group
    assert section_of(sweep)[1] is None


def test_nothing_where_no_run_is_done(sweep: Path) -> None:
    for seed in (0, 1):
        for split in (0, 1):
            write(sweep, 5.0, seed, split, None, status="failed", dev=None)
    assert section_of(sweep)[1] is None


def test_groups_are_named_without_their_seeds_and_splits(sweep: Path) -> None:
    for seed in (0, 1):
        for split in (0, 1):
            write(sweep, 5.0 + seed, seed, split, None)
            write(sweep, 5.0 + seed, seed, split + 2, None, "sgd")
    _, section = section_of(sweep)
    assert section is not None
    assert section.tables["variance_sources"]["group"].tolist() == ["adam", "adam", "sgd", "sgd"]
