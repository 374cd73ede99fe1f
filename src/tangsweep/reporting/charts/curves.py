"""Loss or accuracy during training: single runs faint, with mean and interval over seeds on top."""

import json
import math
from collections.abc import Sequence

import altair as alt
import pandas as pd
from pydantic import JsonValue

from tangsweep.metrics import Metric
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.statistics import interval_half_widths, is_finite
from tangsweep.reporting.blocks import Chart, Section, VegaLiteSpec
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns

AXES = {"epoch": "epoch", "step": "optimizer step", "characters": "characters seen", "seconds": "seconds"}
SIDES = {"train_loss": "training", "dev_loss": "development"}
MAX_POINTS = 16_000  # of all runs together, and of all means
MIN_POINTS_PER_LINE = 8
MANY_GROUPS, HIGHLIGHTED_GROUPS = 12, 8  # of more than MANY_GROUPS only the best are highlighted at first
# By kind of row: opacity of highlighted and of faint groups.
OPACITIES = {"band": (0.18, 0.02), "run": (0.4, 0.04), "mean": (1, 0.06), "end": (1, 0.2)}
MAX_DRAWN, MIN_LOGARITHMIC = 1e300, 1e-3
CUT_FACTOR = 2.5  # losses above this multiple of the untrained model's would flatten all other curves


def curves_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the section with the loss curves of all groups; None where no run was evaluated."""
    comparable = ranking.comparable
    epochs = data.epochs[data.epochs["run"].isin(comparable.runs["run"])]
    if epochs.empty:
        return None
    style = GroupStyle(comparable.runs["group"], data.runs["group"])
    chart = curve_chart(epochs, comparable, style, [group.name for group in ranking.groups])
    block = Chart.from_altair("curves", _caption(comparable), chart)
    _title_x_axis_by_choice(block.spec)
    return Section("Curves", [block])


def curve_points(epochs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return one row per run, evaluation and side: run, group, side, the four axes, value; thinned."""
    sides = _sides(metric)
    points = epochs.melt(["run", "group", *AXES], list(sides), var_name="side", value_name="value")
    points["side"] = points["side"].map(sides)
    return thin_lines(points[is_finite(points["value"])], ["run", "side"])


def thin_lines(points: pd.DataFrame, line_columns: list[str]) -> pd.DataFrame:
    """Return about MAX_POINTS rows, or all where there are fewer.

    A line consists of the rows that are equal in `line_columns`. It keeps its first, last, lowest and highest
    point and some evenly spaced ones.
    """
    lines = points.groupby(line_columns, sort=False)
    max_length = max(MIN_POINTS_PER_LINE, MAX_POINTS // max(1, lines.ngroups))
    place, length = lines.cumcount(), lines["value"].transform("size")
    bin_number = (place * (max_length - 1) // (length - 1).clip(lower=1)).astype(int)
    first_of_bin = bin_number.ne(bin_number.groupby([points[column] for column in line_columns]).shift())
    is_last = place.eq(length - 1)
    extremes = pd.Index([*lines["value"].idxmin(), *lines["value"].idxmax()])
    selected = (length <= max_length) | first_of_bin | is_last | points.index.isin(extremes)
    return points[selected].reset_index(drop=True)


def mean_curves(epochs: pd.DataFrame, runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return one row per group, epoch and side: means of value and axes, interval (low, high), runs.

    Only epochs that every run of the group reached with a finite value count: never a mean over survivors.
    The interval is Student's at 95 %, of accuracies the range; missing for a single run.
    """
    run_counts = runs["group"].value_counts()
    tables = [
        _side_means(epochs[is_finite(epochs[column])], column, run_counts).assign(side=side)
        for column, side in _sides(metric).items()
    ]
    means = pd.concat(tables, ignore_index=True).drop(columns=["deviation", "lowest", "highest"])
    return _round(thin_lines(means, ["group", "side"]))


def _side_means(epochs: pd.DataFrame, column: str, run_counts: pd.Series) -> pd.DataFrame:
    by_epoch = epochs.astype({column: float}).groupby(["group", "epoch"], sort=False)
    means = by_epoch.agg(
        value=(column, "mean"), deviation=(column, "std"), runs=(column, "size"),
        lowest=(column, "min"), highest=(column, "max"),
        **{axis: (axis, "mean") for axis in AXES if axis != "epoch"},
    ).reset_index()  # fmt: skip
    means = means[means["runs"] >= means["group"].map(run_counts)]
    if column == "dev_accuracy":
        several = means["runs"] > 1
        return means.assign(low=means["lowest"].where(several), high=means["highest"].where(several))
    half = interval_half_widths(means["deviation"], means["runs"])
    return means.assign(low=means["value"] - half, high=means["value"] + half)


def _sides(metric: Metric) -> dict[str, str]:
    return {"dev_accuracy": "development"} if metric.name == "accuracy" else SIDES


def divergence_points(epochs: pd.DataFrame, runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the last finite point of each run that diverged."""
    diverged = runs.loc[runs["status"] == "diverged", "run"]
    points = curve_points(epochs[epochs["run"].isin(diverged)], metric)
    return points.sort_values("epoch").groupby(["run", "side"], as_index=False).last()


def _caption(comparable: ComparableRuns) -> str:
    """Explain lines, bands and crosses."""
    runs, sentences = comparable.runs, []
    if runs.groupby("group")["seed"].nunique().max() > 1:
        band = "range" if comparable.by_accuracy else "95 % interval"
        sentences.append(f"Mean and {band} over seeds, up to the epoch that every run of a group reached.")
        sentences.append("Single runs are faint.")
    if (runs["status"] == "diverged").any():
        sentences.append("A cross is the last point of a run that diverged.")
    sentences.append("Click names in the legend to highlight groups, twice to show all.")
    if runs["group"].nunique() > MANY_GROUPS:
        sentences.append(f"The best {HIGHLIGHTED_GROUPS} are highlighted at first.")
    if not comparable.by_accuracy:
        sentences.append(
            f"Losses above {CUT_FACTOR:g} times the untrained model's are drawn at the upper edge."
        )
    return " ".join(sentences)


def curve_chart(
    epochs: pd.DataFrame, comparable: ComparableRuns, style: GroupStyle, ranked_groups: Sequence[str]
) -> alt.FacetChart:
    """Return training and development curves side by side, with a choice of the x axis and of a log scale."""
    metric, runs = comparable.metric, comparable.runs
    points = _round(curve_points(epochs, metric))
    untrained = points.loc[points["epoch"] == points["epoch"].min(), "value"]
    top = math.inf if comparable.by_accuracy or untrained.empty else CUT_FACTOR * float(untrained.median())
    data = pd.concat(
        [
            points.assign(kind="run"),
            mean_curves(epochs, runs, metric).assign(kind="mean", run=""),
            _round(divergence_points(epochs, runs, metric)).assign(kind="end"),
        ],
        ignore_index=True,
    )
    axis = alt.param(name="axis", value="epoch", bind=alt.binding_select(options=list(AXES), name="against "))
    logarithmic = alt.param(name="logarithmic", value=False, bind=alt.binding_checkbox(name="logarithmic "))
    many = len(style.groups) > MANY_GROUPS
    first = [{"group": group} for group in ranked_groups[:HIGHLIGHTED_GROUPS]] if many else alt.Undefined
    chosen = alt.selection_point(name="chosen", fields=["group"], bind="legend", toggle="true", value=first)
    kinds = [*(["band"] if data["low"].notna().any() else []), *data["kind"].unique()]
    layers = _layers(style, chosen, metric, top)
    chart = alt.layer(*(layer for kind, layer in layers.items() if kind in kinds), data=data)
    chart = chart.properties(width=380, height=300).add_params(axis, logarithmic, chosen)
    return chart.facet(column=alt.Column("side:N", sort=list(SIDES.values()), title=None))


def _layers(style: GroupStyle, chosen: alt.Parameter, metric: Metric, top: float) -> dict[str, alt.Chart]:
    """Return the layers by the kind of their rows, the lowest first.

    They set the opacity of strokes and fills: with the opacity of marks the picture would be composed anew
    for each line.
    """
    title = "accuracy" if metric.name == "accuracy" else "nats per character"
    label = "logarithmic ? format(pow(10, datum.value), '.3~g') : datum.label"
    y_axis, y_scale = alt.Axis(labelExpr=label), alt.Scale(zero=False)
    y = alt.Y("shown:Q", title=title, scale=y_scale, axis=y_axis)
    lower = alt.Y("shown_low:Q", title=title, scale=y_scale, axis=y_axis)
    x = alt.X("x:Q", title="epoch", axis=alt.Axis(format="~s"))
    colour, dash = style.line_colour, style.dash
    rows = {
        kind: _select(f"datum.kind == '{kind}'", top, value="shown").encode(x=x, y=y, color=colour)
        for kind in ("run", "mean", "end")
    }
    band = _select("isValid(datum.low)", top, low="shown_low", high="shown_high").mark_area()
    run, mean = rows["run"].mark_line(strokeWidth=1), rows["mean"].mark_line(strokeWidth=2.2)
    end = rows["end"].mark_point(shape="cross", size=90, filled=True)
    tooltip = ["group:N", "run:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")]
    opacity = {
        kind: alt.condition(chosen, alt.value(highlighted), alt.value(faint))
        for kind, (highlighted, faint) in OPACITIES.items()
    }
    return {
        "band": band.encode(x=x, y=lower, y2="shown_high:Q", color=colour, fillOpacity=opacity["band"]),
        "run": run.encode(strokeDash=dash, detail="run:N", strokeOpacity=opacity["run"], tooltip=tooltip),
        "mean": mean.encode(strokeDash=dash, strokeOpacity=opacity["mean"], tooltip=[*tooltip, "runs:Q"]),
        "end": end.encode(fillOpacity=opacity["end"], tooltip=tooltip),
    }


def _select(condition: str, top: float, **columns: str) -> alt.Chart:
    """Let the chart filter rows and compute x and, for each of `columns`, the value to draw.

    The value is clamped, and logarithmic where the reader of the page chose so. The column itself stays, for
    tooltips.
    """
    chart = alt.Chart().transform_filter(condition).transform_calculate(x="datum[axis]")
    for column, drawn in columns.items():
        value = f"clamp(datum.{column}, 0, {min(top, MAX_DRAWN)!r})"
        logarithm = f"log(max({value}, {MIN_LOGARITHMIC!r})) / LN10"
        chart = chart.transform_calculate(**{drawn: f"logarithmic ? {logarithm} : {value}"})
    return chart


def _round(table: pd.DataFrame) -> pd.DataFrame:
    """Round to four decimals, more than a pixel shows; the page of a thousand runs is half as large."""
    columns = table.select_dtypes("number").columns
    return table.assign(**{column: table[column].astype(float).round(4) for column in columns})


def _title_x_axis_by_choice(spec: VegaLiteSpec) -> None:
    """Let the x axis's title follow the choice, by a Vega signal that Altair's schema does not allow."""
    title: JsonValue = {"signal": f"{json.dumps(AXES)}[axis]"}
    match spec:
        case {"spec": {"layer": list(layers)}}:
            for layer in layers:
                match layer:
                    case {"encoding": {"x": dict(x)}}:
                        x["title"] = title
