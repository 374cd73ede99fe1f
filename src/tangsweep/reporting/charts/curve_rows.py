"""The rows that learning curves are drawn from: runs, means over seeds, best epochs, diverged ends."""

from collections.abc import Sequence

import pandas as pd

from tangsweep.metrics import Metric
from tangsweep.reporting.analysis.statistics import interval_half_widths, is_finite

AXES = {"epoch": "epoch", "step": "optimizer step", "characters": "characters seen", "seconds": "seconds"}
SIDES = {"train_loss": "training", "dev_loss": "development"}
MAX_POINTS = 16_000  # of all runs together, and of all means
MIN_POINTS_PER_LINE = 8
MAX_LOSS = 690.0  # nats; exp of more is no number
HEADROOM = 0.25  # nats above the worst group that competes, at least


def curve_rows(epochs: pd.DataFrame, runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return all rows, with their `kind`: run, mean, best or end."""
    means = mean_curves(epochs, runs, metric)
    return pd.concat(
        [
            _round(curve_points(epochs, metric)).assign(kind="run"),
            means.assign(kind="mean", run=""),
            best_points(means, metric).assign(kind="best", run=""),
            _round(divergence_points(epochs, runs, metric)).assign(kind="end"),
        ],
        ignore_index=True,
    )


def best_points(means: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the rows of each group's best epoch by the mean development curve, of both sides."""
    development = means[means["side"] == "development"].dropna(subset=["value"])
    by_group = development.groupby("group")["value"]
    best = development.loc[by_group.idxmin() if metric.lower_is_better else by_group.idxmax()]
    return means.merge(best[["group", "epoch"]], on=["group", "epoch"])


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
    The interval is Student's at 95 %, of accuracies the range; missing for a single run. That of two runs, 13
    standard errors to each side, would hide the picture and is left out: both runs are drawn.
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
    half = interval_half_widths(means["deviation"], means["runs"]).where(means["runs"] > 2)
    return means.assign(low=means["value"] - half, high=means["value"] + half)


def _sides(metric: Metric) -> dict[str, str]:
    return {"dev_accuracy": "development"} if metric.name == "accuracy" else SIDES


def divergence_points(epochs: pd.DataFrame, runs: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the last finite point of each run that diverged."""
    diverged = runs.loc[runs["status"] == "diverged", "run"]
    points = curve_points(epochs[epochs["run"].isin(diverged)], metric)
    return points.sort_values("epoch").groupby(["run", "side"], as_index=False).last()


def loss_range(rows: pd.DataFrame, side: str, best: Sequence[str]) -> tuple[float, float]:
    """Return the losses between which curves are drawn, which show the differences between what competes.

    The upper one lies above the best epochs of the groups `best`, but never above the untrained model.
    """
    runs = rows[rows["kind"] == "run"]
    development = runs[runs["side"] == "development"]
    values = runs.loc[runs["side"] == side, "value"]
    first = development[development["epoch"] == development["epoch"].min()]
    untrained = float((first if len(first) else runs)["value"].median())
    lows = development.groupby("group")["value"].min()
    means = rows[rows["kind"].eq("best") & rows["side"].eq("development")].groupby("group")["value"].min()
    lows = means.reindex(lows.index).fillna(lows)  # a mean where every run of the group has an epoch
    competing = lows[lows.index.isin(best) & lows.lt(untrained)]
    top = untrained
    if len(competing):
        spread = float(competing.max() - competing.min())
        top = min(untrained, float(competing.max()) + max(HEADROOM, 0.35 * spread))
    bottom = float(values.min()) if len(values) else top - 1
    top = top if top > bottom else bottom + 1
    return min(bottom - 0.04, MAX_LOSS), min(top, MAX_LOSS)


def _round(table: pd.DataFrame) -> pd.DataFrame:
    """Round to four decimals, more than a pixel shows; the page of a thousand runs is half as large."""
    columns = table.select_dtypes("number").columns
    return table.assign(**{column: table[column].astype(float).round(4) for column in columns})
