"""One colour for one compared value across a page, shades and dashes for its settings."""

import colorsys
from pathlib import Path

import pytest

from tangsweep.reporting.blocks import Chart
from tangsweep.reporting.build import report_on
from tangsweep.reporting.charts.group_style import COLOURS, MOST_NAMES, GroupStyle
from tests.reporting.written_sweeps import find_block, record, write_run


def hue(colour: str) -> float:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return colorsys.rgb_to_hsv(red, green, blue)[0]


def write_rates(sweep: Path) -> None:
    for optimizer, best in (("adam", 300.0), ("sgd", 400.0)):
        for rate in (0.1, 0.2, 0.3):
            for seed in (0, 1):
                overrides = [f"optimizer={optimizer}", f"optimizer.lr={rate}", f"seed={seed}"]
                result = record(best + 100 * rate + seed, seed=seed, overrides=overrides)
                target = f"torch.optim.{optimizer}"
                write_run(
                    sweep, f"{optimizer}-{rate}-{seed}", result,
                    optimizer__lr=rate, optimizer___target_=target,
                )  # fmt: skip


def drawn_colours(chart: Chart) -> dict[str, str]:
    """Return the colour of each name in a chart's own scale."""
    found: dict[str, str] = {}

    def look(node: object) -> None:
        match node:
            case {"color": {"scale": {"domain": list(names), "range": list(colours)}}}:
                found.update(zip(names, colours, strict=True))
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            look(child)

    look({name: part for name, part in chart.spec.items() if name != "datasets"})
    return found


def test_an_optimizer_has_one_hue_in_all_charts(sweep: Path) -> None:
    write_rates(sweep)
    _, report = report_on([sweep])
    curves = drawn_colours(find_block(report, "Curves", Chart))
    settings = drawn_colours(find_block(report, "Curves of all", Chart))
    rates = drawn_colours(find_block(report, "Learning rates", Chart))
    [answer] = report.comparisons
    assert answer.chart
    assert curves == drawn_colours(answer.chart) == rates == {"adam": COLOURS[0], "sgd": COLOURS[1]}
    assert len(set(settings.values())) == len(settings) == 6
    for name, colour in settings.items():
        assert hue(colour) == pytest.approx(hue(curves[name.split()[0]]), abs=0.02)


def test_settings_of_a_value_are_told_apart_by_dashes_too() -> None:
    names = ["a lr=1", "a lr=2", "b lr=1"]
    style = GroupStyle(names, ["a", "b"], names, {name: name[0] for name in names})
    assert style.colours["b lr=1"] == COLOURS[1]
    [first, second, alone] = style.dash.to_dict()["scale"]["range"]
    assert first == alone == [1, 0] and second != first


def test_values_of_another_report_are_ignored() -> None:
    assert GroupStyle(["x"], ["a", "b"]).colours == {"x": COLOURS[0]}
    assert GroupStyle(["b"], ["a", "b"]).colours == {"b": COLOURS[1]}


def test_a_legend_does_not_hide_the_picture() -> None:
    legend = GroupStyle(map(str, range(200))).line_colour.to_dict()["legend"]
    assert legend["symbolLimit"] == MOST_NAMES
