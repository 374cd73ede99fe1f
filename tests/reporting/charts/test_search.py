"""The section on a search: what it counts, what it calls important, and that paused runs are not judged."""

import math
import random
from pathlib import Path

import numpy as np
import pytest

from tangsweep.reporting.analysis.search_results import (
    epsilon_squared,
    incumbent_history,
    parameter_importances,
    rung_correlations,
    search_tables,
)
from tangsweep.reporting.blocks import Chart, Table
from tangsweep.runs.search_log import FILE_NAME, Line, Result, SearchLog, Setting, Step
from tests.reporting.written_sweeps import cells, find_block, record, report_of, write_run

LR = {"key": "optimizer.lr", "low": 1e-4, "high": 1.0, "log": True, "whole": False, "step": None}
DROPOUT = {"key": "model.dropout", "low": 0.0, "high": 0.5, "log": False, "whole": False, "step": None}
ARM = "optimizer=adam"
HEADER = {
    "space": [{"name": ARM, "branches": [{"fixed": [ARM], "parameters": [LR, DROPOUT]}]}],
    "rungs": {ARM: [[0, 3], [0, None], [1, None]]},
}


def lines(values: list[float], promoted: dict[int, float]) -> list[Line]:
    """A setting for each value, at rates that rise with it; those promoted have a value at the second rung."""
    generator = random.Random(0)
    decided = []
    for trial, value in enumerate(values):
        parameters = {
            "optimizer.lr": f"{10 ** (value - 8):.4g}",
            "model.dropout": f"{generator.random() / 2:.4g}",
        }
        decided.append(Line(Step(trial, 0), Setting(ARM, 0, parameters), ()))
        decided.append(Line(None, None, (Result(trial, 0, value),)))
    for trial, value in promoted.items():
        decided.append(Line(Step(trial, 1), None, ()))
        decided.append(Line(None, None, (Result(trial, 1, value),)))
    return decided


VALUES = [5.0 + (7 * place % 16) / 10 for place in range(16)]


def test_importance_is_of_the_parameter_that_decides() -> None:
    table = parameter_importances(search_tables(HEADER, lines(VALUES, {}))).set_index("key")["share"]
    assert table["optimizer.lr"] > 0.9
    assert table["model.dropout"] < 0.3


def test_epsilon_squared_by_hand() -> None:
    values, parts = np.array([1.0, 2.0, 5.0, 6.0]), np.array([0, 0, 1, 1])
    # SS between 16, within 1, in all 17; MS within 1 / 2.
    assert epsilon_squared(values, parts) == pytest.approx((16 - 0.5) / 17)
    assert epsilon_squared(values, np.array([0, 1, 0, 1])) == 0
    assert epsilon_squared(np.ones(4), parts) == 0


def test_the_incumbent_only_improves() -> None:
    decided = [
        *lines([5.0, 6.0, 4.5], {2: 4.0}),
        Line(None, None, (Result(0, 1, math.inf), Result(1, 1, None))),
    ]
    history = incumbent_history(search_tables(HEADER, decided))
    assert history["value"].tolist() == [5.0, 5.0, 4.5, 4.0]
    assert history["results"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("promoted", "rho"), [([4.9, 4.8, 4.7, 4.6], 1.0), ([4.6, 4.7, 4.8, 4.9], -1.0)])
def test_rank_correlation_of_rungs(promoted: list[float], rho: float) -> None:
    decided = lines([5.4, 5.3, 5.2, 5.1, 6.0], dict(enumerate(promoted)))
    [row] = rung_correlations(search_tables(HEADER, decided)).itertuples(index=False, name=None)
    assert row == (ARM, "3 epochs and whole", 4, pytest.approx(rho))


def write_search(sweep: Path, decided: list[Line]) -> None:
    log = SearchLog(sweep)
    log.open(HEADER)
    for line in decided:
        log.append(line)


def write_runs(sweep: Path) -> None:
    """One run to its end, and one that is paused."""
    overrides = ["optimizer=adam", "optimizer.lr=0.001"]
    write_run(sweep, "done-00000000", record(300.0, overrides=overrides))
    write_run(sweep, "paused-00000001", None).paused.write_text("3\n")


def test_the_section_counts_what_came_how_far(sweep: Path) -> None:
    write_runs(sweep)
    write_search(sweep, [*lines(VALUES, {0: 4.7}), Line(None, None, (Result(1, 0, math.inf),))])
    report = report_of(sweep)
    table = find_block(report, "Search", Table)
    assert cells(table, "compared") == ["adam"]
    assert cells(table, "settings") == ["16 × 3 epochs → 1 × whole → 0 × whole, seed 1"]
    assert cells(table, "diverged") == ["1"]
    assert cells(table, "its score") == [f"{math.exp(4.7):.4g}"]
    names = [block.name for s in report.sections for block in s.blocks if isinstance(block, Chart)]
    assert {"search_history", "search_optimizer_lr", "search_model_dropout", "search_map_adam"} <= set(names)


def test_paused_runs_are_not_judged(sweep: Path) -> None:
    write_runs(sweep)
    report = report_of(sweep)
    [ranking] = report.rankings
    assert [group.run_count for group in ranking.groups] == [1]
    assert "1 of 2 runs are paused and not judged: others were promoted." in report.warnings
    assert not any("have not ended" in warning for warning in report.warnings)


def test_where_every_run_is_paused_there_is_a_report(sweep: Path) -> None:
    write_run(sweep, "paused-00000001", None).paused.write_text("3\n")
    assert any("1 of 1 runs are paused" in warning for warning in report_of(sweep).warnings)


def test_a_damaged_search_is_named_and_hides_nothing(sweep: Path) -> None:
    write_runs(sweep)
    write_search(sweep, lines(VALUES, {}))
    path = sweep / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b'"trial": 3', b'"trail": 3'))
    report = report_of(sweep)
    assert "is damaged in line" in find_block(report, "Search", str)
    assert report.rankings
