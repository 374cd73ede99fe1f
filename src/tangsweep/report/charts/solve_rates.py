"""Which runs solved their task, how often and how fast: results that are bimodal, never means alone."""

from typing import Any

import altair as alt
import pandas as pd

from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.groups import without
from tangsweep.runs.state import ENDED


def ended(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that say whether a length can be solved: one that failed says nothing about its cell."""
    return runs[runs["length"].notna() & runs["status"].isin(ENDED)]


def rates(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a group and length: seeds, how many solved, steps to solve of those, accuracies of all.

    Nothing where runs have no length.
    """
    found = ended(runs)
    by_length: Any = found.assign(group=found["group"].map(without_length)).groupby(["group", "length"])
    rows = []
    for [group, length], same in by_length:
        solved = pd.to_numeric(same["solved_step"], errors="coerce").dropna()
        rows.append(
            {
                "group": group,
                "length": int(length),
                "seeds": len(same),
                "solved": len(solved),
                "solved_share": len(solved) / len(same),
                "steps_to_solve_least": solved.min(),
                "steps_to_solve_median": solved.median(),
                "steps_to_solve_most": solved.max(),
                "accuracies": " ".join(f"{a:.3f}" for a in sorted(same["dev_accuracy"].dropna())),
            }
        )
    return pd.DataFrame(rows)


def without_length(group: str) -> str:
    return without(group, "length")


def chart(runs: pd.DataFrame, solved: pd.DataFrame, look: GroupStyle) -> alt.HConcatChart:
    """Accuracy of every run, and of their `rates` the share of seeds that solved, against the length."""
    points = ended(runs)[["group", "length", "dev_accuracy", "run", "ended"]].astype({"length": int})
    points["group"] = points["group"].map(without_length)
    shares = solved[["group", "length", "solved_share", "solved", "seeds"]]
    size: Any = {"width": {"step": 60, "for": "position"}, "height": 260}
    common: Any = {
        "x": alt.X("length:O", title="length T", axis=alt.Axis(labelAngle=0), scale=alt.Scale(type="band")),
        "xOffset": alt.XOffset("group:N"),  # side by side: what is equal would hide what lies under it
        "color": look.fill,
    }
    unit = alt.Scale(domain=[0, 1])
    accuracy = alt.Y("dev_accuracy:Q", title="accuracy, one point a run", scale=unit)
    share = alt.Y("solved_share:Q", title="share of seeds that solved it", scale=unit)
    dots = alt.Chart(points).mark_point(filled=True, size=60, opacity=0.7).encode(
        **common, y=accuracy, tooltip=["run:N", "dev_accuracy:Q", "ended:N"]
    ).properties(**size)  # fmt: skip
    bars = alt.Chart(shares).mark_bar().encode(
        **common, y=share, tooltip=["group:N", "length:O", "solved:Q", "seeds:Q"]
    ).properties(**size)  # fmt: skip
    return alt.hconcat(dots, bars)
