"""Loss or accuracy during training: single runs faint, with mean and interval over seeds on top."""

import json
import math
from collections.abc import Sequence

import altair as alt
import pandas as pd
from pydantic import JsonValue

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.blocks import AnyChart, Chart, Section, VegaLiteSpec
from tangsweep.reporting.charts.curve_rows import AXES, MAX_LOSS, curve_rows, loss_range
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import ComparableRuns

MANY_GROUPS, HIGHLIGHTED_GROUPS = 12, 8  # of more than MANY_GROUPS only the best are highlighted at first
# By kind of row: opacity of highlighted and of faint groups.
OPACITIES = {"band": (0.16, 0.02), "run": (0.35, 0.04), "mean": (1, 0.06), "best": (1, 0.1), "end": (1, 0.2)}
KINDS_OF_ROWS = ("run", "mean", "best", "end")
PANEL = {"width": 500, "height": 330}
BASELINES = ("unigram", "bigram")
# Shift, because without it the wheel and a finger scroll the page.
ZOOM = "wheel![event.shiftKey]"
MOVE = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"


def curves_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the section with the learning curves of all groups; None where no run was evaluated."""
    return _curves_of("Curves", "curves", data, ranking)


def setting_curves_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the same for all settings, of which the section on curves shows the chosen ones."""
    return _curves_of("Curves of all settings", "setting_curves", data, ranking)


def _curves_of(title: str, name: str, data: SweepData, ranking: Ranking) -> Section | None:
    comparable = ranking.comparable
    group_of_run = comparable.runs.set_index("run")["group"]
    epochs = data.epochs[data.epochs["run"].isin(group_of_run.index)]
    if epochs.empty:
        return None
    epochs = epochs.assign(group=epochs["run"].map(group_of_run))
    names = [group.name for group in ranking.groups]
    style = GroupStyle.of_runs(comparable.runs, data.values, names)
    chart = curve_chart(epochs, comparable, style)
    block = Chart.from_altair(name, _caption(comparable), chart)
    _let_signals_choose(block.spec)
    _select_in_one_view(block.spec)
    return Section(title, [block])


def _caption(comparable: ComparableRuns) -> str:
    """Explain lines, bands, marks and what is out of the picture."""
    runs, sentences = comparable.runs, []
    if runs.groupby("group")["seed"].nunique().max() > 1:
        band = "range" if comparable.by_accuracy else "95 % interval"
        sentences.append(f"Mean and {band} over seeds, up to the epoch that every run of a group reached.")
        sentences.append("Single runs are faint; of two there is no interval.")
    sentences.append("A ring is the best epoch of a mean, as far as it goes; what ranks is each run's best.")
    if (runs["status"] == "diverged").any():
        sentences.append("A cross is the last point of a run that diverged.")
    if not comparable.by_accuracy:
        sentences.append(
            "Perplexities are logarithmic; lines that are worse than all that competes leave at the top."
        )
    sentences.append("Click names to highlight groups, twice to show all; zoom with shift and the wheel.")
    if runs["group"].nunique() > MANY_GROUPS:
        sentences.append(f"The best {HIGHLIGHTED_GROUPS} are highlighted at first.")
    return " ".join(sentences)


def curve_chart(epochs: pd.DataFrame, comparable: ComparableRuns, style: GroupStyle) -> AnyChart:
    """Return development and training curves side by side; the reader chooses x axis and smoothing."""
    rows = curve_rows(epochs, comparable.runs, comparable.metric)
    numbers = {group: f"g{number}" for number, group in enumerate(style.groups)}
    rows["number"] = rows["group"].map(numbers)  # names may hold dots, which Vega takes for paths
    axis = alt.param(name="axis", value="epoch", bind=alt.binding_select(options=list(AXES), name="against "))
    smoothing = alt.param(
        name="smoothing", value=0, bind=alt.binding_range(min=0, max=10, step=1, name="smoothing ")
    )
    many = len(style.groups) > MANY_GROUPS
    first = [{"group": group} for group in style.groups[:HIGHLIGHTED_GROUPS]] if many else alt.Undefined
    chosen = alt.selection_point(name="chosen", fields=["group"], bind="legend", toggle="true", value=first)
    sides = ["development"] if comparable.by_accuracy else ["development", "training"]
    panels = [_panel(rows, side, comparable, style, chosen) for side in sides]
    chart: AnyChart = alt.hconcat(*panels, data=rows, spacing=30).add_params(axis, smoothing)
    return chart


def _panel(
    rows: pd.DataFrame, side: str, comparable: ComparableRuns, style: GroupStyle, chosen: alt.Parameter
) -> AnyChart:
    of_side = rows[rows["side"] == side]
    kinds = [*(["band"] if of_side["low"].notna().any() else []), *of_side["kind"].unique()]
    domain = None  # of perplexities
    if not comparable.by_accuracy:
        domain = [math.exp(loss) for loss in loss_range(rows, side, style.groups[:HIGHLIGHTED_GROUPS])]
    layers = _layers(side, style, chosen, _y_axis(side, domain), domain is not None)
    if domain:  # a run that diverged may end far above what is drawn
        layers["end"] = layers["end"].transform_calculate(y=f"min(datum.y, {domain[1]!r})")
    zoom = alt.selection_interval(name=f"zoom_{side}", bind="scales", zoom=ZOOM, translate=MOVE)
    layers["run"] = layers["run"].add_params(zoom, *([chosen] if side == "development" else []))
    drawn = [layer for kind, layer in layers.items() if kind in kinds]
    if domain and side == "development":
        drawn += _baseline_layers(comparable, *domain)
    drawn.append(_crosshair(side, style.groups[:MANY_GROUPS], domain is not None))
    panel: AnyChart = alt.layer(*drawn).properties(**PANEL)
    return panel


def _y_axis(side: str, domain: list[float] | None) -> alt.Y:
    """Return the axis of perplexities in `domain`; of accuracies where it is None."""
    if domain is None:
        return alt.Y("y:Q", title=f"{side} accuracy", scale=alt.Scale(zero=False))
    scale = alt.Scale(type="log", domain=domain, nice=False)
    return alt.Y("y:Q", title=f"{side} perplexity", scale=scale, axis=alt.Axis(format="~s", tickCount=8))


def _layers(
    side: str, style: GroupStyle, chosen: alt.Parameter, y: alt.Y, is_loss: bool
) -> dict[str, alt.Chart]:
    """Return the layers by the kind of their rows, the lowest first.

    They set the opacity of strokes and fills: with the opacity of marks the picture would be composed anew
    for each line.
    """
    x = alt.X("x:Q", title="epoch", axis=alt.Axis(format="~s", tickMinStep=1), scale=alt.Scale(nice=False))
    colour, dash = style.line_colour, style.dash
    rows = {kind: _select(side, kind, is_loss).encode(x=x, y=y, color=colour) for kind in KINDS_OF_ROWS}
    opacity = {
        kind: alt.condition(chosen, alt.value(highlighted), alt.value(faint))
        for kind, (highlighted, faint) in OPACITIES.items()
    }
    value = alt.Tooltip("value:Q", title="nats" if is_loss else "accuracy", format=".4f")
    tooltip = ["group:N", "run:N", "epoch:Q", value]
    band = _select(side, "mean", is_loss, ("low", "high")).transform_filter("isValid(datum.low)")
    band, mean = band.mark_area(clip=True), rows["mean"].mark_line(strokeWidth=2.4, clip=True)
    run = rows["run"].mark_line(strokeWidth=1, clip=True)
    run = run.encode(strokeDash=dash, detail="run:N", tooltip=tooltip)
    best = rows["best"].mark_point(size=80, strokeWidth=2, clip=True)
    end = rows["end"].mark_point(shape="cross", size=90, filled=True, clip=True)
    return {
        "band": band.encode(x=x, y="y_low:Q", y2="y_high:Q", color=colour, fillOpacity=opacity["band"]),
        "run": run.encode(strokeOpacity=opacity["run"]),
        "mean": mean.encode(strokeDash=dash, strokeOpacity=opacity["mean"]),
        "best": best.encode(strokeOpacity=opacity["best"]),
        "end": end.encode(fillOpacity=opacity["end"], tooltip=tooltip),
    }


def _select(side: str, kind: str, is_loss: bool, columns: Sequence[str] = ()) -> alt.Chart:
    """Let the chart choose rows and compute x and y, or of `columns` y_COLUMN; lines are smoothed first."""
    chart = alt.Chart().transform_filter(f"datum.side == '{side}' && datum.kind == '{kind}'")
    chart = chart.transform_calculate(x="datum[axis]")
    if kind in ("run", "mean") and not columns:
        chart = chart.transform_window(
            smooth="mean(value)", frame=[0, 0], groupby=["group", "run"], sort=[alt.SortField("epoch")]
        )
        return chart.transform_calculate(y=_shown("smooth", is_loss))
    drawn = {f"y_{column}": _shown(column, is_loss) for column in columns} or {"y": _shown("value", is_loss)}
    return chart.transform_calculate(**drawn)


def _shown(column: str, is_loss: bool) -> str:
    return f"exp(min(datum.{column}, {MAX_LOSS!r}))" if is_loss else f"datum.{column}"


def _baseline_layers(comparable: ComparableRuns, low: float, high: float) -> list[alt.Chart]:
    """Return the baselines between two perplexities as lines with their names."""
    values = {name: comparable.runs[name].dropna() for name in BASELINES}
    lines = [(name, float(column.iloc[0])) for name, column in values.items() if len(column)]
    table = pd.DataFrame([line for line in lines if low < line[1] < high], columns=["name", "y"])
    if table.empty:
        return []
    rule = alt.Chart(table).mark_rule(strokeDash=[5, 4], color="#7b8391").encode(y="y:Q")
    name = alt.Chart(table).mark_text(align="right", dx=-4, dy=-6, fontSize=12)
    return [rule, name.encode(y="y:Q", x=alt.value("width"), text="name:N")]


def _crosshair(side: str, groups: Sequence[str], is_loss: bool) -> alt.Chart:
    """Return a line that follows the pointer and reads the means of all groups, unsmoothed."""
    hover = alt.selection_point(
        name=f"hover_{side}", fields=["x"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    # Vega-Lite writes titles of tooltips into an expression, and escapes quotes in them but no backslashes.
    titles = [group.replace("\\", "\\\\") for group in groups]
    tooltip = [
        alt.Tooltip(f"g{number}:Q", title=title, format=",.4~r") for number, title in enumerate(titles)
    ]
    chart = alt.Chart().transform_filter(f"datum.side == '{side}' && datum.kind == 'mean'")
    chart = chart.transform_calculate(x="datum[axis]", read=_shown("value", is_loss))
    chart = chart.transform_pivot("number", value="read", groupby=["x"])
    rule: alt.Chart = chart.mark_rule(color="#7b8391").add_params(hover)
    return rule.encode(x="x:Q", opacity=alt.condition(hover, alt.value(0.7), alt.value(0)), tooltip=tooltip)


def _select_in_one_view(spec: VegaLiteSpec) -> None:
    """Let each selection listen to the one layer that asked for it; Altair names all layers of a panel.

    Vega refuses a selection that two layers have.
    """
    params = spec.get("params")
    for param in params if isinstance(params, list) else []:
        match param:
            case {"name": str(name), "views": list(views)}:
                views[:] = views[-1:] if name.startswith("hover") else views[:1]


def _let_signals_choose(spec: JsonValue) -> None:
    """Let the x axes' titles and the smoothing follow the reader's choices.

    Vega takes signals there; Altair's schema does not allow them.
    """
    if isinstance(spec, list):
        for item in spec:
            _let_signals_choose(item)
    if not isinstance(spec, dict):
        return
    if "window" in spec:
        spec["frame"] = [{"signal": "-smoothing"}, {"signal": "smoothing"}]
    if spec.get("field") == "x" and spec.get("title") == "epoch":
        spec["title"] = {"signal": f"{json.dumps(AXES)}[axis]"}
    for name, value in spec.items():
        if name != "datasets":
            _let_signals_choose(value)
