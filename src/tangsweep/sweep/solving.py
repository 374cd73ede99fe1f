"""Which runs solved their task, how often and how fast: results that are bimodal, never means alone."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from tangsweep.runs.folder import atomic_write
from tangsweep.sweep.drawing import save
from tangsweep.sweep.grouping import groups


def write(folder: Path, runs: pd.DataFrame) -> bool:
    """solved.csv, solved.html (self-contained) and solved.png; False where no run has a length to solve.

    Of runs that ended: one that failed says nothing about its cell.
    """
    runs = runs[runs["length"].notna() & runs["status"].isin(["done", "diverged"])]
    if runs.empty:
        return False
    named = groups(dict(zip(runs["run"], runs["overrides"], strict=True)), without=("seed", "corpus.length"))
    runs = runs.assign(group=runs["run"].map(named))
    atomic_write(folder / "solved.csv", rates(runs).to_csv(index=False))
    save(chart(runs), folder, "solved")
    return True


def rates(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a group and length: seeds, how many solved, steps to solve of those, accuracies of all."""
    rows = []
    for [name, length], same in runs.astype({"length": int}).groupby(["group", "length"]):
        solved = same["solved_step"].dropna()
        rows.append(
            {
                "group": name,
                "length": length,
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


def chart(runs: pd.DataFrame) -> alt.HConcatChart:
    """Accuracy of every run, and the share of seeds that solved, against the length."""
    shares = rates(runs)[["group", "length", "solved_share", "solved", "seeds"]]
    size: Any = {"width": {"step": 70}, "height": 260}
    length = alt.X("length:O", title="length T", axis=alt.Axis(labelAngle=0), scale=alt.Scale(type="band"))
    common: Any = {
        "x": length,
        "xOffset": alt.XOffset("group:N"),  # side by side: what is equal would hide what lies under it
        "color": alt.Color("group:N", title=None, scale=alt.Scale(scheme="tableau10")),
    }
    unit = alt.Scale(domain=[0, 1])
    points = (
        alt.Chart(runs[["group", "length", "dev_accuracy", "run", "ended"]].astype({"length": int}))
        .mark_point(filled=True, size=60, opacity=0.7)
        .encode(
            **common,
            y=alt.Y("dev_accuracy:Q", title="accuracy, one point a run", scale=unit),
            tooltip=["run:N", "dev_accuracy:Q", "ended:N"],
        )
        .properties(**size)
    )
    bars = (
        alt.Chart(shares)
        .mark_bar()
        .encode(
            **common,
            y=alt.Y("solved_share:Q", title="share of seeds that solved it", scale=unit),
            tooltip=["group:N", "length:O", "solved:Q", "seeds:Q"],
        )
        .properties(**size)
    )
    return alt.hconcat(points, bars)
