"""Loss (or accuracy) while the runs trained: every run faint, mean and interval over seeds on top."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.report.analysis.statistics import finite, half_width
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.comparability import ComparableRuns

AXES = {"epoch": "epoch", "step": "optimizer step", "characters": "characters seen", "seconds": "seconds"}
SIDES = {"train_loss": "training", "dev_loss": "development"}
MOST_POINTS = 16_000  # of runs in the page, and as many of means
FEWEST = 8  # points that a run or a mean keeps, whatever their number
MANY, SINGLED = 12, 8  # groups that can be read at once, and how many stand out where there are more
MOST, LEAST = 1e300, 1e-3  # drawn at all, and on a logarithmic axis
CUT = 2.5  # losses above so many times the untrained model's are not drawn: all others would be flat


def points(epochs: pd.DataFrame, by_accuracy: bool) -> pd.DataFrame:
    """One row a run, evaluation and side: group, run, side, the four axes, value."""
    sides = _sides(by_accuracy)
    whole = epochs.melt(["run", "group", *AXES], list(sides), var_name="side", value_name="value")
    whole["side"] = whole["side"].map(sides)
    whole = whole[
        pd.to_numeric(whole["value"], errors="coerce").map(np.isfinite, na_action="ignore").eq(True)
    ]
    return thinned(whole, ["run", "side"])


def thinned(whole: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Of each line, the rows that agree in `by`, its first, last, least and largest, and some evenly apart.

    All of it where there are few lines; in all about MOST_POINTS rows.
    """
    lines = whole.groupby(by, sort=False)
    most = max(FEWEST, MOST_POINTS // max(1, lines.ngroups))
    place, length = lines.cumcount(), lines["value"].transform("size")
    even = (place * (most - 1) // (length - 1).clip(lower=1)).astype(int)
    first_of_step = even.ne(even.groupby([whole[key] for key in by]).shift())
    ends = place.eq(length - 1)
    extremes = pd.Index([*lines["value"].idxmin(), *lines["value"].idxmax()])
    kept = (length <= most) | first_of_step | ends | whole.index.isin(extremes)
    return whole[kept].reset_index(drop=True)


def means(epochs: pd.DataFrame, runs: pd.DataFrame, by_accuracy: bool) -> pd.DataFrame:
    """One row a group, epoch and side: mean of the value and of the axes, its interval, number of runs.

    Only epochs that every one of the group's `runs` has reached with a finite value: never a mean over
    survivors. The interval is Student's of 95 %, of accuracies from least to largest; none of one run.
    """
    wanted = runs["group"].value_counts()
    found = [
        _means(epochs[finite(epochs[c])], c, wanted).assign(side=s) for c, s in _sides(by_accuracy).items()
    ]
    whole = pd.concat(found, ignore_index=True).drop(columns=["spread", "least", "most"])
    return _rounded(thinned(whole, ["group", "side"]))


def _means(finite: pd.DataFrame, column: str, wanted: pd.Series) -> pd.DataFrame:
    by_epoch = finite.astype({column: float}).groupby(["group", "epoch"], sort=False)
    told = by_epoch.agg(
        value=(column, "mean"), spread=(column, "std"), runs=(column, "size"),
        least=(column, "min"), most=(column, "max"),
        **{axis: (axis, "mean") for axis in AXES if axis != "epoch"},
    ).reset_index()  # fmt: skip
    told = told[told["runs"] >= told["group"].map(wanted)]
    if column == "dev_accuracy":
        several = told["runs"] > 1
        return told.assign(low=told["least"].where(several), high=told["most"].where(several))
    half = half_width(told["spread"], told["runs"])
    return told.assign(low=told["value"] - half, high=told["value"] + half)


def _sides(by_accuracy: bool) -> dict[str, str]:
    return {"dev_accuracy": "development"} if by_accuracy else SIDES


def ends(epochs: pd.DataFrame, runs: pd.DataFrame, by_accuracy: bool) -> pd.DataFrame:
    """The last finite point of each run that diverged."""
    diverged = runs.loc[runs["status"] == "diverged", "run"]
    found = points(epochs[epochs["run"].isin(diverged)], by_accuracy)
    return found.sort_values("epoch").groupby(["run", "side"], as_index=False).last()


def caption(part: ComparableRuns) -> str:
    """What lines, bands and crosses are."""
    told = []
    if part.runs.groupby("group")["seed"].nunique().max() > 1:
        reach = "from least to largest" if part.by_accuracy else "95 % interval"
        told.append(f"Mean and {reach} over seeds, as far as every run of a group got; single runs faint.")
    if (part.runs["status"] == "diverged").any():
        told.append("A cross is the last point of a run that diverged.")
    best = f"; the best {SINGLED} are at first" if part.runs["group"].nunique() > MANY else ""
    told.append(f"Click names in the legend to single them out, twice to see all{best}.")
    if not part.by_accuracy:
        told.append(f"Losses above {CUT:g} times the untrained model's are drawn at the upper edge.")
    return " ".join(told)


def chart(
    epochs: pd.DataFrame, runs: pd.DataFrame, look: GroupStyle, by_accuracy: bool, best: Sequence[str]
) -> alt.FacetChart:
    """Training and development beside each other; the axes can be switched.

    Of more than MANY groups the first SINGLED of `best` are clear at first, and the others faint.
    """
    drawn = _rounded(points(epochs, by_accuracy))
    untrained = drawn.loc[drawn["epoch"] == drawn["epoch"].min(), "value"]
    top = math.inf if by_accuracy or untrained.empty else CUT * float(untrained.median())
    data = pd.concat(
        [
            drawn.assign(kind="run"),
            means(epochs, runs, by_accuracy).assign(kind="mean", run=""),
            _rounded(ends(epochs, runs, by_accuracy)).assign(kind="end"),
        ],
        ignore_index=True,
    )
    axis = alt.param(name="axis", value="epoch", bind=alt.binding_select(options=list(AXES), name="against "))
    logarithmic = alt.param(name="logarithmic", value=False, bind=alt.binding_checkbox(name="logarithmic "))
    first = [{"group": group} for group in best[:SINGLED]] if len(look.groups) > MANY else alt.Undefined
    chosen = alt.selection_point(name="chosen", fields=["group"], bind="legend", toggle="true", value=first)
    kinds = [*(["band"] if data["low"].notna().any() else []), *data["kind"].unique()]
    drawn_layers = _layers(look, chosen, by_accuracy, top)
    layers = alt.layer(*(drawn_layers[kind] for kind in drawn_layers if kind in kinds), data=data)
    whole = layers.properties(width=380, height=300).add_params(axis, logarithmic, chosen)
    return whole.facet(column=alt.Column("side:N", sort=list(SIDES.values()), title=None))


def _layers(look: GroupStyle, chosen: alt.Parameter, by_accuracy: bool, top: float) -> dict[str, alt.Chart]:
    """What lies below first; each but the band draws the rows of its kind.

    Opacity of strokes and fills, not of marks: a picture would be put together anew for each line.
    """
    title = "accuracy" if by_accuracy else "nats per character"
    label = "logarithmic ? format(pow(10, datum.value), '.3~g') : datum.label"
    y = alt.Y("shown:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(labelExpr=label))
    x = alt.X("x:Q", title="epoch, or what is chosen instead", axis=alt.Axis(format="~s"))

    def opacity(clear: float, dim: float) -> Any:
        return alt.condition(chosen, alt.value(clear), alt.value(dim))

    def of(kind: str, mark: Any) -> alt.Chart:
        return mark(_shown(f"datum.kind == '{kind}'", top, value="shown")).encode(x=x, y=y, color=look.colour)

    tip: list[Any] = ["group:N", "run:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")]
    band = _shown("isValid(datum.low)", top, low="shown_low", high="shown_high").mark_area()
    lower = alt.Y("shown_low:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(labelExpr=label))
    return {
        "band": band.encode(
            x=x, y=lower, y2="shown_high:Q", color=look.colour, fillOpacity=opacity(0.18, 0.02)
        ),
        "run": of("run", lambda c: c.mark_line(strokeWidth=1)).encode(
            strokeDash=look.dash, detail="run:N", strokeOpacity=opacity(0.4, 0.04), tooltip=tip
        ),
        "mean": of("mean", lambda c: c.mark_line(strokeWidth=2.2)).encode(
            strokeDash=look.dash, strokeOpacity=opacity(1, 0.06), tooltip=[*tip, "runs:Q"]
        ),
        "end": of("end", lambda c: c.mark_point(shape="cross", size=90, filled=True)).encode(
            fillOpacity=opacity(1, 0.2), tooltip=tip
        ),
    }


def _shown(chosen: str, top: float, **shown: str) -> alt.Chart:
    """Rows that are `chosen`, their x on the axis that was picked, each of `shown` perhaps as a logarithm.

    Drawn between 0 and `top`; what a tooltip says is the value itself.
    """
    chart = alt.Chart().transform_filter(chosen).transform_calculate(x="datum[axis]")
    for value, name in shown.items():
        kept = f"clamp(datum.{value}, 0, {min(top, MOST)!r})"
        log = f"log(max({kept}, {LEAST!r})) / LN10"
        chart = chart.transform_calculate(**{name: f"logarithmic ? {log} : {kept}"})
    return chart


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Four decimals are more than a pixel shows, and a page of a thousand runs half as large."""
    numbers = table.select_dtypes("number").columns
    return table.assign(**{column: table[column].astype(float).round(4) for column in numbers})
