"""Budgets: which runs are trials, mean or median, seconds, and where there is no section."""

import json
import math
import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tangsweep.reporting.analysis.budgets import expected_best, median_best
from tangsweep.reporting.analysis.tuning_trials import tuning_trials
from tangsweep.reporting.blocks import Chart, Section
from tangsweep.reporting.build import rank_comparable_runs
from tangsweep.reporting.charts.budgets import budget_section
from tangsweep.reporting.data.collect import collect
from tangsweep.reporting.data.comparability import comparable_sets
from tests.reporting.written_sweeps import CONFIG, record, write_run

ADAM = {0.0003: 320.0, 0.001: 250.0, 0.003: 260.0, 0.01: 300.0, 0.03: 700.0, 0.1: 900.0}
SGD = {0.03: 400.0, 0.1: 350.0, 0.3: 280.0, 1.0: 310.0}
FAILED = {"dev": None, "train": None, "last": None}


@pytest.fixture(autouse=True)
def groups_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configs of these tests may hold keys of the search."""
    for group, values in {
        "search": {"sampler": "tpe", "trials": None},
        "confirm": {"seeds": []},
        "cell": {},
    }.items():
        monkeypatch.setitem(CONFIG, group, values)


def write_trial(sweep: Path, optimizer: str, rate: float, perplexity: float | None, **changes: Any) -> None:
    """Write one run; `changes` with `__` are of its config, others of its record."""
    config = {key: value for key, value in changes.items() if "__" in key}
    changes = {key: value for key, value in changes.items() if "__" not in key}
    seed = changes.get("seed", 0)
    overrides = [f"optimizer={optimizer}", f"optimizer.lr={rate}", f"seed={seed}"]
    result = record(perplexity, **({"overrides": overrides} | changes))
    target = f"torch.optim.{optimizer}"
    config |= {"optimizer___target_": target, "optimizer__lr": rate}
    write_run(sweep, f"{optimizer}-{rate}-{seed}", result, **config)


def write_search(sweep: Path, **changes: Any) -> None:
    for rate, perplexity in ADAM.items():
        write_trial(sweep, "adam", rate, perplexity, seconds=20.0, **changes)
    for rate, perplexity in SGD.items():
        write_trial(sweep, "sgd", rate, perplexity, seconds=10.0, **changes)


def section_of(*sweeps: Path) -> Section | None:
    data = collect(sweeps)
    rankings = rank_comparable_runs(data)
    assert len(rankings) == 1
    return budget_section(data, rankings[0])


def table_of(sweep: Path) -> pd.DataFrame:
    section = section_of(sweep)
    assert section is not None
    return section.tables["budgets"].set_index(["group", "trials"])


def charts_of(section: Section | None) -> dict[str, Chart]:
    assert section is not None
    return {block.name: block for block in section.blocks if isinstance(block, Chart)}


def rows_of(chart: Chart) -> list[dict[str, Any]]:
    return [row for rows in chart.spec["datasets"].values() for row in rows]  # type: ignore[union-attr]


def test_the_table_of_a_search(sweep: Path) -> None:
    write_search(sweep)
    table = table_of(sweep)
    assert table.index.tolist() == [("adam", 1), ("adam", 2), ("adam", 3), ("sgd", 1), ("sgd", 2)]
    for (group, k), row in table.iterrows():
        losses = np.log(list({"adam": ADAM, "sgd": SGD}[group].values()))
        assert row["expected_best"] == pytest.approx(math.exp(expected_best(losses, k)))
        assert row["low"] < row["expected_best"] < row["high"]
    assert table["seconds"].tolist() == [20.0, 40.0, 60.0, 10.0, 20.0]
    # By hand: of the 24 pairs of one run each, Adam's is better in 4 + 4 + 3 + 2 = 13.
    assert table.loc[("adam", 1), "probability_best"] == pytest.approx(13 / 24, abs=0.06)
    assert table["probability_best"].unstack("group").iloc[:2].sum(axis=1).tolist() == pytest.approx([1, 1])
    assert np.isnan(table.loc[("adam", 3), "probability_best"])  # SGD has half of 4 trials


def test_the_charts_of_a_search(sweep: Path) -> None:
    write_search(sweep)
    section = section_of(sweep)
    charts = charts_of(section)
    assert list(charts) == ["budgets"]
    chart = charts["budgets"]
    for phrase in (
        "one run: a setting with one seed",
        "Tang et al.",
        "of a grid they are draws from its values",
    ):
        assert phrase in chart.caption
    drawn = str(chart.spec)
    assert "expected best development perplexity" in drawn and "median" not in drawn
    assert len([row for row in rows_of(chart) if "cut" in row]) == 5  # one table for both axes
    areas = pd.DataFrame(rows_of(chart)).query("trials.isna()")
    # SGD's run takes 10 s; its half of 4 trials is over after 20 s, when Adam has made its first.
    assert (areas["seconds"].min(), areas["seconds"].max()) == (10, 20)
    start = areas[areas["seconds"] == 10].set_index("group")["probability_best"]
    assert start.to_dict() == {"adam": 0, "sgd": 1}
    end = areas[areas["seconds"] == 20].set_index("group")["probability_best"]
    # By hand: of the 6 × 6 choices, Adam is better with 250 and 260 (6 each), 300 (3), 320 (1).
    assert end["adam"] == pytest.approx(16 / 36, abs=0.06)
    assert section is not None
    [sentence, _] = section.blocks  # by hand 13 of 24 draws, and 65 of 90
    assert re.fullmatch(
        r"Drawn from these runs, and by development score: with one trial each, the best is that of adam in "
        r"5\d% and of sgd in 4\d% of draws; with 2 each, the best is that of adam in 7\d% and of sgd in 2\d%\.",
        str(sentence),
    )


def test_diverged_and_failed_runs_count(sweep: Path) -> None:
    write_search(sweep)
    write_trial(sweep, "sgd", 3.0, 100.0, status="diverged", seconds=2.0)  # after an epoch with a score
    write_trial(sweep, "sgd", 10.0, None, status="failed", seconds=None, **FAILED)
    table = table_of(sweep)
    losses = np.array([*np.log(list(SGD.values())), math.inf, math.inf])
    for k in (1, 2, 3):
        assert table.loc[("sgd", k), "expected_best"] == pytest.approx(math.exp(median_best(losses, k)))
        adam = median_best(np.log(list(ADAM.values())), k)  # one kind of curve for all groups
        assert table.loc[("adam", k), "expected_best"] == pytest.approx(math.exp(adam))
    assert table.loc[("sgd", 1), "seconds"] == pytest.approx((4 * 10 + 2) / 5)
    assert math.isinf(table.loc[("sgd", 1), "high"])
    chart = charts_of(section_of(sweep))["budgets"]
    assert (
        "median best development perplexity" in str(chart.spec) and "The median of the best" in chart.caption
    )
    cuts = [row["cut"] for row in rows_of(chart) if "cut" in row]
    assert len(cuts) == 6 and json.dumps(chart.spec, allow_nan=False)


def test_a_group_that_mostly_diverged_is_drawn_from_where_its_median_is_finite(sweep: Path) -> None:
    write_search(sweep)
    for rate in (3.0, 10.0, 30.0, 100.0, 300.0):
        write_trial(sweep, "sgd", rate, None, status="diverged", **FAILED)
    table = table_of(sweep)
    assert np.isinf(table.loc["sgd", "expected_best"]).tolist() == [True, False, False, False]
    drawn = rows_of(charts_of(section_of(sweep))["budgets"])
    assert [row["trials"] for row in drawn if row["group"] == "sgd" and "cut" in row] == [2, 3, 4]


def test_runs_that_confirm_a_choice_are_no_trials(sweep: Path) -> None:
    write_search(sweep, confirm__seeds=[7, 8])
    alone = table_of(sweep)
    for seed in (7, 8):
        write_trial(sweep, "adam", 0.001, 240.0, seed=seed, confirm__seeds=[7, 8])
    pd.testing.assert_frame_equal(table_of(sweep), alone)
    # Also where the ranking holds those runs.
    data = collect([sweep])
    [comparable] = comparable_sets(data.runs)
    trials = tuning_trials(data, comparable)
    assert trials is not None and (len(comparable.runs), len(trials.runs)) == (12, 10)


def test_known_characters_score_where_all_have_them(sweep: Path) -> None:
    for optimizer, scores in {"adam": ADAM, "sgd": SGD}.items():
        for rate, perplexity in scores.items():
            dev = {
                "perplexity": perplexity,
                "loss": math.log(perplexity),
                "known_loss": math.log(perplexity) - 1,
            }
            write_trial(sweep, optimizer, rate, perplexity, dev=dev)
    losses = np.log(list(SGD.values())) - 1
    assert table_of(sweep).loc[("sgd", 2), "expected_best"] == pytest.approx(
        math.exp(expected_best(losses, 2))
    )
    chart = charts_of(section_of(sweep))["budgets"]
    assert "perplexity, known characters" in str(chart.spec) and "over known characters" in chart.caption
    write_trial(sweep, "sgd", 3.0, None, status="diverged", **FAILED)
    assert "known characters" in str(charts_of(section_of(sweep))["budgets"].spec)
    write_trial(sweep, "sgd", 0.01, 500.0)  # an older record
    assert "known characters" not in str(charts_of(section_of(sweep))["budgets"].spec)


def test_what_is_left_out_is_named(sweep: Path) -> None:
    write_search(sweep)
    for rate in (0.1, 0.2, 0.3):
        for seed in (0, 1):
            write_trial(sweep, "adagrad", rate, 300.0, seed=seed)
    write_run(sweep, "unfinished", None, optimizer__lr=5.0)
    section = section_of(sweep)
    assert section is not None
    assert section.blocks[-1] == (
        "1 runs are left out, because they have not ended. Left out, with fewer than 4 settings: adagrad."
    )
    assert set(section.tables["budgets"]["group"]) == {"adam", "sgd"}


def test_seeds_of_a_setting_are_trials_that_stay_together(sweep: Path) -> None:
    write_search(sweep)
    for rate, perplexity in SGD.items():
        for seed in range(1, 10):
            write_trial(sweep, "sgd", rate, perplexity, seed=seed)
    twice = table_of(sweep)
    assert twice.loc["sgd"].index.max() == 20
    # Four settings stay four: by runs, the band of the mean would be a third as wide.
    low, high = np.log(twice.loc[("sgd", 1), ["low", "high"]].astype(float))
    expected = 2 * 1.96 * np.log(list(SGD.values())).std() / 2
    assert high - low == pytest.approx(expected, rel=0.15)


def test_several_choices_make_one_name(sweep: Path) -> None:
    for cell, optimizer in product(("lstm", "gru"), ("sgd", "adam")):
        for rate, perplexity in SGD.items():
            overrides = [f"optimizer={optimizer}", f"cell={cell}", f"optimizer.lr={rate}"]
            write_trial(sweep, f"{cell}-{optimizer}", rate, perplexity, overrides=overrides, cell__name=cell)
    groups = set(table_of(sweep).index.get_level_values("group"))
    assert groups == {"sgd lstm", "sgd gru", "adam lstm", "adam gru"}


def test_without_times_there_is_no_chart_against_seconds(sweep: Path) -> None:
    for optimizer, scores in {"adam": ADAM, "sgd": SGD}.items():
        for rate, perplexity in scores.items():
            seconds = 10.0 if optimizer == "adam" else None
            write_trial(sweep, optimizer, rate, perplexity, seconds=seconds)
    [chart] = charts_of(section_of(sweep)).values()
    assert "seconds of training" not in str(chart.spec) and "Seconds" not in chart.caption


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_no_section_for_trials_that_depend_on_earlier_ones(sweep: Path, sampler: str) -> None:
    write_search(sweep, search__sampler=sampler, search__trials=10)
    assert section_of(sweep) is None


def test_no_section_where_a_run_is_paused(sweep: Path) -> None:
    write_search(sweep)
    data = collect([sweep])
    assert budget_section(data, rank_comparable_runs(data)[0]) is not None
    paused = data._replace(runs=data.runs.assign(status=["paused", *data.runs["status"][1:]]))
    assert budget_section(paused, rank_comparable_runs(data)[0]) is None


def test_a_grid_has_a_section_whatever_the_sampler_of_a_search_would_be(sweep: Path) -> None:
    write_search(sweep, search__sampler="tpe", search__trials=None)
    assert section_of(sweep) is not None


def test_a_random_search_has_a_section(sweep: Path) -> None:
    write_search(sweep, search__sampler="random", search__trials=10)
    assert section_of(sweep) is not None


def test_no_section_with_too_few_settings(sweep: Path) -> None:
    for rate, perplexity in list(SGD.items())[:3]:
        for seed in (0, 1):
            write_trial(sweep, "sgd", rate, perplexity, seed=seed)
    for rate, perplexity in ADAM.items():
        write_trial(sweep, "adam", rate, perplexity)
    assert section_of(sweep) is None  # six trials of SGD, of three settings
    write_trial(sweep, "sgd", 1.0, 310.0)
    assert section_of(sweep) is not None


def test_no_section_without_a_choice_or_a_score(sweep: Path, home: Path) -> None:
    for rate, perplexity in ADAM.items():
        write_trial(sweep, "adam", rate, perplexity)
    assert section_of(sweep) is None
    diverged = home / "outputs" / "diverged"
    for optimizer, scores in {"adam": ADAM, "sgd": SGD}.items():
        for rate in scores:
            write_trial(diverged, optimizer, rate, None, status="diverged", **FAILED)
    assert section_of(diverged) is None
    write_trial(diverged, "adam", 0.2, 300.0)  # a seventh trial: no median of up to three of them is finite
    assert section_of(diverged) is None


def test_no_section_where_accuracy_ranks(sweep: Path) -> None:
    write_search(sweep, primary={"metric": "accuracy", "mode": "max"})
    assert section_of(sweep) is None
