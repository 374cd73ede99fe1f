"""Curves: means only where every run counts, thinning, the upper edge."""

import json
import math
import re
from pathlib import Path

import pandas as pd

from tangsweep.metrics import METRICS
from tangsweep.reporting.blocks import Chart
from tangsweep.reporting.charts.curve_rows import (
    MIN_POINTS_PER_LINE,
    best_points,
    curve_points,
    curve_rows,
    loss_range,
    mean_curves,
    thin_lines,
)
from tangsweep.reporting.data.collect import collect
from tangsweep.reporting.render.vega import draw_svg
from tests.reporting.written_sweeps import find_block, record, report_of, write_optimizer_runs, write_run

PERPLEXITY = METRICS["perplexity"]


def test_curves_of_survivors_are_no_means(sweep: Path) -> None:
    adam = {"optimizer___target_": "torch.optim.adam"}
    for seed, losses in enumerate(((7.0, 6.0, 5.0), (7.0, 6.0), (7.0, 6.5, math.inf))):
        result = record(400.0, seed=seed, overrides=["optimizer=adam", f"seed={seed}"])
        write_run(sweep, f"adam-{seed}", result, losses, **adam)
    data = collect([sweep])
    means = mean_curves(data.epochs, data.runs, PERPLEXITY)
    development = means[means["side"] == "development"]
    assert development["epoch"].tolist() == [0, 1]
    assert development["value"].round(3).tolist() == [7.0, 6.167]
    assert development["runs"].tolist() == [3, 3]
    points = curve_points(data.epochs, PERPLEXITY)
    assert len(points[points["side"] == "development"]) == 7  # infinity is no point


def test_a_run_without_curves_is_one_that_no_mean_can_speak_for(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [400.0, 410.0], "sgd": [500.0, 510.0]})
    (sweep / "optimizer-adam_seed-1-00000001" / "metrics.csv").unlink()
    data = collect([sweep])
    assert set(mean_curves(data.epochs, data.runs, PERPLEXITY)["group"]) == {"sgd"}
    assert [u.reason for u in data.unreadable] == ["missing, although the run ended"]


def test_thinning_keeps_ends_and_extremes() -> None:
    rows = [
        {"run": f"r{n}", "side": "development", "epoch": e, "value": float((e * 7919 + n) % 1013)}
        for n in range(2_000)
        for e in range(60)
    ]
    whole = pd.DataFrame(rows)
    thinned = thin_lines(whole, ["run", "side"])
    assert len(thinned) < 2_000 * (MIN_POINTS_PER_LINE + 4)
    for name, same in list(whole.groupby("run"))[:50]:
        own = thinned[thinned["run"] == name]
        assert {0, 59} <= set(own["epoch"])
        assert {same["value"].min(), same["value"].max()} <= set(own["value"])
    few = whole[whole["run"].isin(["r1", "r2"])].reset_index(drop=True)
    assert len(thin_lines(few, ["run", "side"])) == len(few)


def test_a_run_that_diverged_ends_at_the_upper_edge(sweep: Path) -> None:
    lost = record(None, status="diverged", dev=None, train=None, overrides=["optimizer=sgd"])
    write_run(sweep, "a-1", lost, (7.0, 6.0, 30.0))
    write_run(sweep, "b-1", record(400.0, overrides=["optimizer=adam"]), (7.0, 6.0, 5.0), optimizer__lr=1)
    spec = find_block(report_of(sweep), "Curves", Chart).spec
    [rows] = [rows for rows in spec["datasets"].values() if any("kind" in row for row in rows)]
    assert {row["value"] for row in rows if row["kind"] == "end" and row["side"] == "development"} == {30.0}
    top = math.exp(7.0)  # of the untrained model; the cross of e^30 stands there
    [edge] = [
        float(text) for text in re.findall(r"min\(datum\.y, ([0-9.]+)\)", json.dumps(spec["hconcat"][0]))
    ]
    assert edge <= top
    assert spec["hconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"][1] == edge


def test_the_axis_shows_what_competes(sweep: Path) -> None:
    """RMSprop jumps to 14 nats and comes back: its jump is out of the picture, all best epochs are in it."""
    curves = {
        "adam": (7.0, 6.0, 5.9),
        "sgd": (7.0, 6.4, 6.2),
        "rmsprop": (7.0, 14.0, 6.0),
        "bad": (7.0, 9.0, 8.0),
    }
    for name, losses in curves.items():
        result = record(math.exp(min(losses)), overrides=[f"optimizer={name}"])
        write_run(sweep, f"{name}-1", result, losses, optimizer___target_=name)
    data = collect([sweep])
    rows = curve_rows(data.epochs, data.runs, PERPLEXITY)
    low, high = loss_range(rows, "development", list(curves))
    assert low < 5.9 and 6.2 < high <= 6.2 + 0.35 < 7.0
    low, high = loss_range(rows, "development", ["bad"])  # nothing competes with the untrained model
    assert high == 7.0


def test_rings_are_at_the_best_epoch_of_the_mean(sweep: Path) -> None:
    for seed, losses in enumerate(((7.0, 5.0, 6.0), (7.0, 6.5, 5.3))):  # means 7, 5.75, 5.65
        result = record(400.0, seed=seed, overrides=["optimizer=adam", f"seed={seed}"])
        write_run(sweep, f"adam-{seed}", result, losses)
    data = collect([sweep])
    best = best_points(mean_curves(data.epochs, data.runs, PERPLEXITY), PERPLEXITY)
    assert best[["side", "epoch"]].to_numpy().tolist() == [["training", 2], ["development", 2]]
    accuracy = METRICS["accuracy"]
    means = pd.DataFrame({"group": "a", "side": "development", "epoch": [0, 1, 2], "value": [0.1, 0.9, 0.5]})
    assert best_points(means, accuracy)["epoch"].tolist() == [1]


def test_the_title_of_the_x_axis_follows_the_choice(sweep: Path) -> None:
    write_run(sweep, "a-1", record(400.0, overrides=["optimizer=sgd"]))
    spec = find_block(report_of(sweep), "Curves", Chart).spec
    [axis] = [parameter for parameter in spec["params"] if parameter["name"] == "axis"]
    for choice, title in (("epoch", "epoch"), ("seconds", "seconds"), ("characters", "characters seen")):
        axis["value"] = choice
        assert f">{title}</text>" in draw_svg(spec)
