"""How often and how fast runs solve a task, by the length of its sequences."""

from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking, solvable_runs
from tangsweep.reporting.blocks import Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.groups import remove_key
from tangsweep.reporting.formatting import MISSING

CAPTION = "Results are bimodal: success rates, steps and the accuracy of every seed instead of means alone."
COLUMNS = [
    "group",
    "length",
    "runs that solved it",
    "steps to solve: minimum, median, maximum",
    "accuracy of each seed",
]


def solve_rate_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section with the share of solved runs by length; None where no run has a length."""
    rates = solve_rates(data.runs)
    if rates.empty:
        return None
    rows = [
        [
            str(row["group"]),
            str(row["length"]),
            f"{row['solved']} of {row['seeds']}",
            _format_steps(row),
            row["accuracies"],
        ]
        for _, row in rates.iterrows()
    ]
    chart = Chart.from_altair("solved", CAPTION, solve_rate_chart(data.runs, rates, data.values.values()))
    return Section("Solve rates", [chart, Table(COLUMNS, rows)], {"solved": rates})


def solve_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per group and length: seeds, how many solved it, their steps, accuracies of all."""
    runs = solvable_runs(runs)
    runs = runs.assign(group=runs["group"].map(_remove_length))
    rows = []
    for key, same in runs.groupby(["group", "length"]):
        group, length = map(str, key)
        steps = pd.to_numeric(same["solved_step"], errors="coerce").dropna()
        rows.append(
            {
                "group": group,
                "length": int(float(length)),
                "seeds": len(same),
                "solved": len(steps),
                "solved_share": len(steps) / len(same),
                "steps_to_solve_least": steps.min(),
                "steps_to_solve_median": steps.median(),
                "steps_to_solve_most": steps.max(),
                "accuracies": " ".join(f"{a:.3f}" for a in sorted(same["dev_accuracy"].dropna())),
            }
        )
    return pd.DataFrame(rows)


def _remove_length(group: str) -> str:
    return remove_key(group, "length")


def _format_steps(row: pd.Series) -> str:
    values = [row[f"steps_to_solve_{which}"] for which in ("least", "median", "most")]
    return MISSING if pd.isna(values[0]) else ", ".join(f"{value:,.0f}" for value in values)


def solve_rate_chart(runs: pd.DataFrame, rates: pd.DataFrame, values: Iterable[str]) -> alt.HConcatChart:
    """Return every run's accuracy and the share of seeds that solved the task, against the length."""
    points = solvable_runs(runs)[["group", "length", "dev_accuracy", "run", "ended"]].astype({"length": int})
    points["group"] = points["group"].map(_remove_length)
    shares = rates[["group", "length", "solved_share", "solved", "seeds"]]
    axis = alt.Axis(labelAngle=0)
    x = alt.X("length:O", title="length T", axis=axis, scale=alt.Scale(type="band"))
    x_offset = alt.XOffset("group:N")  # side by side, because equal points would hide each other
    colour = GroupStyle(map(_remove_length, runs["group"]), values).fill_colour
    unit_scale = alt.Scale(domain=[0, 1])
    accuracy = alt.Y("dev_accuracy:Q", title="accuracy, one point per run", scale=unit_scale)
    share = alt.Y("solved_share:Q", title="share of seeds that solved it", scale=unit_scale)
    dots = alt.Chart(points).mark_point(filled=True, size=60, opacity=0.7).encode(
        x=x, xOffset=x_offset, color=colour, y=accuracy, tooltip=["run:N", "dev_accuracy:Q", "ended:N"]
    )  # fmt: skip
    bars = alt.Chart(shares).mark_bar().encode(
        x=x, xOffset=x_offset, color=colour, y=share, tooltip=["group:N", "length:O", "solved:Q", "seeds:Q"]
    )  # fmt: skip
    width = alt.Step(60, **{"for": "position"})
    return alt.hconcat(*(chart.properties(width=width, height=260) for chart in (dots, bars)))
