"""The picture at the top: every group, its interval and seeds, the baselines beside them."""

from pathlib import Path

from tangsweep.reporting.blocks import Chart
from tangsweep.reporting.render.vega import draw_svg
from tests.reporting.written_sweeps import report_of, write_optimizer_runs


def chart_of(sweep: Path) -> Chart:
    chart = report_of(sweep).comparisons[0].chart
    assert chart is not None
    return chart


def rows_of(chart: Chart, column: str) -> list[dict[str, float]]:
    return next(rows for rows in chart.spec["datasets"].values() if rows and column in rows[0])


def test_means_intervals_seeds_and_baselines(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 310.0, 305.0], "sgd": [400.0, 420.0, 410.0]})
    chart = chart_of(sweep)
    means = rows_of(chart, "compared")
    assert [row["group"] for row in means] == ["adam", "sgd"]
    assert all(row["low"] < row["score"] < row["high"] for row in means)
    assert len(rows_of(chart, "seed")) == 6
    assert [row["baseline"] for row in rows_of(chart, "baseline")] == ["bigram", "unigram"]  # 553 and 565
    svg = draw_svg(chart.spec)
    assert all(f">{name}</text>" in svg for name in ("adam", "sgd", "unigram", "bigram"))


def test_differences_to_the_first_stand_at_the_right(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 310.0, 305.0], "sgd": [400.0, 420.0, 410.0]})
    chart = chart_of(sweep)
    shown = {row["group"]: str(row["difference"]) for row in rows_of(chart, "difference")}
    assert shown.keys() == {"sgd"}  # the first has none
    assert shown["sgd"].startswith("+34.4 % (+")
    assert "At the right, in a wide window: how far above adam" in chart.caption
    svg = draw_svg(chart.spec)
    assert ">above adam</text>" in svg and "+34.4 % (+" in svg


def test_the_interval_of_two_seeds_does_not_squeeze_the_rest(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 390.0], "sgd": [400.0, 401.0]})
    [low, high] = chart_of(sweep).spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low > 300 / 1.6 and high < 565 * 1.7
    assert max(row["high"] for row in rows_of(chart_of(sweep), "compared")) > high  # it leaves the picture


def test_far_baselines_are_left_out(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [30.0, 31.0], "sgd": [40.0, 41.0]})
    assert not any("baseline" in row for rows in chart_of(sweep).spec["datasets"].values() for row in rows)


def test_infinite_scores_are_no_crash(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [1e300, 1e300], "sgd": [400.0, 401.0]})
    svg = draw_svg(chart_of(sweep).spec)
    assert ">adam</text>" in svg and ">sgd</text>" in svg


def test_one_group_has_no_picture(sweep: Path) -> None:
    write_optimizer_runs(sweep, {"adam": [300.0, 310.0]})
    assert report_of(sweep).comparisons[0].chart is None
