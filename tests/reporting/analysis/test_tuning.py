"""Tuned comparisons: choices by development scores, judged by other seeds, and what choosing is worth."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tangsweep.files import REPOSITORY
from tangsweep.reporting.analysis.tuning import measure_optimism
from tangsweep.reporting.blocks import Table
from tangsweep.reporting.build import report_on
from tests.reporting.test_scored_on_a_test_set import TESTED, write_tested_run
from tests.reporting.written_sweeps import cells, find_block, report_of, write_run

CONFIRM = [5, 6, 7]
Losses = dict[tuple[str, str], dict[int, tuple[float, float]]]  # (optimizer, rate) → seed → (dev, test)


def conf_optimizer(name: str) -> dict[str, Any]:
    """Return the values that conf/ gives an optimizer."""
    text = (REPOSITORY / "conf" / "optimizer" / f"{name}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    return values


def write_grid(
    sweep: Path,
    losses: Losses,
    confirm: list[int] = CONFIRM,
    optimizer_values: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    random = np.random.default_rng(0)
    for (optimizer, rate), by_seed in losses.items():
        for seed, (dev, test) in by_seed.items():
            folder = write_tested_run(sweep, f"{optimizer}-{rate}", seed, test, random, dev=math.exp(dev))
            result = json.loads(folder.result.read_text())
            result["overrides"] = [f"optimizer={optimizer}", f"optimizer.lr={rate}", f"seed={seed}"]
            result |= changes
            document_scores = folder.document_scores.read_bytes()
            folder = write_run(
                sweep,
                f"{optimizer}-{rate}-{seed}",
                result,
                optimizer=conf_optimizer(optimizer) | {"lr": float(rate)} | (optimizer_values or {}),
                confirm={"seeds": confirm},
            )
            folder.document_scores.write_bytes(document_scores)


GRID: Losses = {
    ("sgd", "0.1"): {0: (5.9, 5.8), 1: (5.8, 5.9), 2: (5.85, 5.86)},
    ("sgd", "1.0"): {0: (5.5, 5.6), 1: (5.6, 5.7), 2: (5.55, 5.64)},
    ("adam", "0.01"): {0: (5.7, 5.3), 1: (5.8, 5.2), 2: (5.9, 5.31)},  # best on the test set, but not chosen
    ("adam", "0.001"): {0: (5.4, 5.5), 1: (5.5, 5.6), 2: (5.45, 5.53)},
}
CONFIRMED: Losses = {
    ("sgd", "1.0"): {5: (5.5, 5.65), 6: (5.6, 5.75), 7: (5.6, 5.68)},
    ("adam", "0.001"): {5: (5.4, 5.52), 6: (5.5, 5.64), 7: (5.5, 5.55)},
}


def merged(*grids: Losses) -> Losses:
    settings = dict.fromkeys(setting for grid in grids for setting in grid)
    return {s: {k: v for grid in grids for k, v in grid.get(s, {}).items()} for s in settings}


def test_development_scores_choose_and_other_seeds_judge(sweep: Path) -> None:
    write_grid(sweep, merged(GRID, CONFIRMED))
    report = report_of(sweep)
    table = find_block(report, "Tuned", Table)
    assert cells(table, "group") == ["adam", "sgd"]
    assert cells(table, "setting chosen") == ["lr=0.001", "lr=1.0"]
    assert cells(table, "settings tried") == ["2", "2"]
    assert cells(table, "seeds that judge") == ["5, 6, 7"] * 2
    expected = [math.exp(np.mean([5.52, 5.64, 5.55])), math.exp(np.mean([5.65, 5.75, 5.68]))]
    assert cells(table, "test perplexity (known characters)") == [f"{value:.1f}" for value in expected]
    # Development losses of known characters are 0.3 below those of all.
    assert cells(table, "development perplexity, choosing seeds")[0] == f"{math.exp(5.45 - 0.3):.1f}"
    judged = math.exp(np.mean([5.4, 5.5, 5.5]) - 0.3)
    assert cells(table, "development perplexity, seeds that judge")[0] == f"{judged:.1f}"
    assert report.answers[0].startswith(
        "Each at the setting that is the best of 2 by mean development score: adam "
    )
    assert report.answers[-1] == "The seeds 5, 6, 7, which judge, took no part in the choice of settings."
    rows = report.tables["tuned"].set_index("group")
    assert list(rows["mean"]) == pytest.approx(expected)
    assert list(rows["setting"]) == ["lr=0.001", "lr=1.0"]
    assert rows.loc["sgd", "behind_low"] < rows.loc["sgd", "behind_mean"] < rows.loc["sgd", "behind_high"]
    assert rows.loc["adam", "chosen_loss"] == pytest.approx(5.45 - 0.3)
    assert rows.loc["adam", "judged_loss"] == pytest.approx(math.log(judged))
    # The ranking of all settings is over the seeds that chose.
    ranking = find_block(report, "Ranking", Table)
    assert cells(ranking, "group")[0] == "adam lr=0.01"
    assert cells(ranking, "seeds with a score") == ["3 of 3"] * 4


def test_one_seed_that_chooses_is_no_warning_about_those_that_judge(sweep: Path) -> None:
    one_seed = {setting: {0: losses[0]} for setting, losses in GRID.items()}
    write_grid(sweep, merged(one_seed, CONFIRMED))
    warnings = report_of(sweep).warnings
    assert not any("no difference can be distinguished" in warning for warning in warnings)
    assert any(
        warning.startswith("The ranking of all settings has one seed for each") for warning in warnings
    )


def test_without_other_seeds_the_flattery_is_measured(sweep: Path) -> None:
    write_grid(sweep, GRID, confirm=[])
    report = report_of(sweep)
    table = find_block(report, "Tuned", Table)
    assert cells(table, "seeds that judge") == ["0, 1, 2"] * 2
    assert "The same seeds chose the settings, which flatters the scores (measured by" in report.answers[-1]
    assert "confirm.seeds=5,6,7,8,9 judges the chosen settings with others" in report.answers[-1]


def test_confirmation_that_is_not_complete_is_none(sweep: Path) -> None:
    half = {("adam", "0.001"): CONFIRMED["adam", "0.001"]}
    write_grid(sweep, merged(GRID, half))
    assert "The same seeds chose the settings" in report_of(sweep).answers[-1]


def test_a_setting_with_a_failed_run_is_not_chosen_and_counts_as_tried(sweep: Path) -> None:
    write_grid(sweep, GRID, confirm=[])
    result = sweep / "adam-0.001-1" / "result.json"
    result.write_text(result.read_text().replace('"status": "done"', '"status": "diverged"'))
    table = find_block(report_of(sweep), "Tuned", Table)
    chosen = dict(zip(cells(table, "group"), cells(table, "setting chosen"), strict=True))
    assert chosen == {"adam": "lr=0.01", "sgd": "lr=1.0"}
    assert cells(table, "settings tried") == ["2", "2"]


def test_where_every_setting_failed_once_the_best_of_them_is_not_called_complete(sweep: Path) -> None:
    write_grid(sweep, GRID, confirm=[])
    for setting in ("adam-0.001-1", "adam-0.01-2"):
        result = sweep / setting / "result.json"
        result.write_text(result.read_text().replace('"status": "done"', '"status": "diverged"'))
    report = report_of(sweep)
    table = find_block(report, "Tuned", Table)
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "adam"), strict=True))
    assert (row["setting chosen"], row["development perplexity, choosing seeds"]) == ("lr=0.001", "∞")
    assert any("Not compared" in sentence and "adam" in sentence for sentence in report.answers)


def test_a_default_that_was_tried_is_compared_with_the_seeds_that_choose(sweep: Path) -> None:
    """conf/ gives adam and sgd the rate 0.01. The development set did not see that it is better."""
    write_grid(sweep, merged(GRID, CONFIRMED))
    table = find_block(report_of(sweep), "Tuned", Table)
    assert cells(table, "group") == ["adam", "sgd"]
    default, chosen = np.mean([5.3, 5.2, 5.31]), np.mean([5.5, 5.6, 5.53])
    assert cells(table, "test perplexity of the default, choosing seeds") == [f"{math.exp(default):.1f}", "–"]
    gain = 100 * (1 - math.exp(chosen - default))
    assert cells(table, "gain over the default, choosing seeds") == [f"−{abs(gain):.1f} %", "–"]
    assert gain < -30
    assert "– where it was not among those tried" in table.note
    assert "over the seeds that choose, which flatters the gain" in table.note


def test_a_default_that_was_chosen_gains_nothing(sweep: Path) -> None:
    best: Losses = {("adam", "0.01"): {seed: (5.0, 5.0 + seed) for seed in range(3)}}
    write_grid(sweep, GRID | best, confirm=[])
    table = find_block(report_of(sweep), "Tuned", Table)
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "adam"), strict=True))
    assert (row["setting chosen"], row["gain over the default, choosing seeds"]) == ("lr=0.01", "0.0 %")


def test_a_default_that_diverged_has_no_score(sweep: Path) -> None:
    write_grid(sweep, GRID, confirm=[])
    result = sweep / "adam-0.01-1" / "result.json"
    result.write_text(result.read_text().replace('"status": "done"', '"status": "diverged"'))
    table = find_block(report_of(sweep), "Tuned", Table)
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "adam"), strict=True))
    assert (
        row["test perplexity of the default, choosing seeds"],
        row["gain over the default, choosing seeds"],
    ) == ("∞", "–")


def test_what_conf_does_not_give_any_more_is_no_default(sweep: Path) -> None:
    """The runs' other values of the optimizer are not those of conf/: its rate may have been another too."""
    write_grid(sweep, GRID, confirm=[], optimizer_values={"weight_decay": 0.3})
    table = find_block(report_of(sweep), "Tuned", Table)
    assert cells(table, "test perplexity of the default, choosing seeds") == ["–", "–"]
    assert "default" not in table.note


def test_one_config_of_two_sweeps_is_one_setting(home: Path) -> None:
    """The one sweep names a rate that the other leaves at its default."""
    write_grid(home / "three", GRID, confirm=[])
    write_grid(home / "one", {("adam", "0.001"): {3: (5.0, 5.0)}}, confirm=[], overrides=["optimizer=adam"])
    _, report = report_on([home / "three", home / "one"])
    tuned = find_block(report, "Tuned", Table)
    assert cells(tuned, "setting chosen") == ["lr=0.001", "lr=1.0"]
    assert cells(tuned, "settings tried") == ["2", "2"]


def test_nothing_is_tuned_where_each_value_has_one_setting(sweep: Path) -> None:
    one_each: Losses = {("sgd", "0.1"): GRID["sgd", "0.1"], ("adam", "0.1"): GRID["adam", "0.001"]}
    write_grid(sweep, one_each, confirm=[])
    assert not any(section.title == "Tuned" for section in report_of(sweep).sections)


def test_the_order_at_the_last_epoch_is_told(sweep: Path) -> None:
    write_grid(sweep, GRID, confirm=[], last={"dev": {"known_perplexity": 300.0}, "train": {}})
    report = report_of(sweep)
    [section] = [section for section in report.sections if section.title == "Tuned"]
    assert any(
        "order by development score" in str(b) or "By development score at the last" in str(b)
        for b in section.blocks
    )


def test_optimism_by_hand() -> None:
    """Seed 2 alone likes setting 1; without it setting 0 is chosen, as with all seeds."""
    development = np.array([[1.0, 1.0, 2.0], [1.5, 1.5, 1.2]])
    test = np.array([[3.0, 3.1, 3.2], [4.0, 4.1, 4.2]])
    # All seeds choose setting 0 (mean 1.33 against 1.4). Without seed 0: 1.5 against 1.35, setting 1; so
    # without seed 1; without seed 2: 1.0 against 1.5, setting 0.
    honest = np.mean([4.0, 4.1, 3.2])
    assert measure_optimism(development, test) == pytest.approx(honest - np.mean([3.0, 3.1, 3.2]))
    assert measure_optimism(development[:, :1], test[:, :1]) is None
    assert measure_optimism(np.array([[1.0, math.inf]]), test[:1, :2]) is None


@pytest.mark.slow
def test_a_confirmed_score_is_unbiased_and_an_unconfirmed_one_is_not() -> None:
    """500 studies: 12 equally good settings, seed noise that development and test scores share in part."""
    random = np.random.default_rng(11)
    settings, seeds, repetitions, truth = 12, 3, 500, 5.6
    same, other, corrected = [], [], []
    for _ in range(repetitions):
        shared = random.normal(0, 0.03, (settings, seeds + 5))
        development = truth + shared + random.normal(0, 0.01, shared.shape)
        test = truth + shared + random.normal(0, 0.01, shared.shape)
        chosen = development[:, :seeds].mean(axis=1).argmin()
        same.append(test[chosen, :seeds].mean())
        other.append(test[chosen, seeds:].mean())
        optimism = measure_optimism(development[:, :seeds], test[:, :seeds])
        assert optimism is not None
        corrected.append(same[-1] + optimism)
    error = np.std(other, ddof=1) / math.sqrt(repetitions)
    assert abs(np.mean(other) - truth) < 2 * error
    assert np.mean(same) < truth - 10 * error
    # What the page prints as flattery makes up for most of it.
    assert abs(np.mean(corrected) - truth) < 0.35 * abs(np.mean(same) - truth)


assert TESTED["test_fingerprint"]
