"""Competitors, such as optimizers, over several tasks: time to a target, performance profiles, who is better.

After the protocols of AlgoPerf (Dahl et al. 2023) and rliable (Agarwal et al. 2021).
"""

import math
from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.reporting.analysis.across_tasks import (
    ERROR_ALLOWANCE,
    TARGET_FACTOR,
    Estimate,
    SharedTask,
    interquartile_mean,
    most_preferred,
    probability_of_improvement,
    shared_tasks,
)
from tangsweep.reporting.analysis.performance_profiles import (
    MAX_RATIO,
    performance_ratios,
    profile_scores,
    profile_share,
)
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.blocks import AnyChart, Block, Chart, Section, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.data.comparability import comparable_sets
from tangsweep.reporting.formatting import MISSING, format_accuracy, format_names, format_quantity

MEASURES = ("steps", "seconds")
MIN_AGGREGATED = 3  # a mean over the runs of fewer tasks says less than the tasks themselves
TIME_COLUMNS = ["task", "competitor", "target", "steps", "seconds", "reached", "runs"]
PERPLEXITY_TARGET = (
    f"The target of a task is {TARGET_FACTOR:g} times the best tuned mean development perplexity, at the "
    "best epoch of each run."
)
ACCURACY_TARGET = (
    "Where accuracy ranks, it is the accuracy from which on the error is at most "
    f"{TARGET_FACTOR:g} times the best tuned mean error plus {ERROR_ALLOWANCE:g}."
)
TUNED = (
    "Each competitor has its best setting in each task, by mean development score over the seeds that choose "
    "(losses are over known characters where every run has them); settings of which some run failed or "
    "diverged come last."
)
OTHER_SEEDS = "Runs with seeds that took no part in that choice count"
SAME_SEEDS = (
    "the same runs chose the settings, which flatters a competitor the more, the more settings it tried"
)
TIMES = (
    "Steps and seconds are medians over the runs of that setting until an evaluation reached the target; a "
    "run that never did, or that failed or diverged, took infinitely long (∞). Seconds depend on the machine."
)
PROFILES = (
    "Performance profiles (Dolan and Moré 2002): ρ(τ) is the share of the {tasks} tasks in which a "
    "competitor needed at most τ times the steps or seconds of the fastest. A task in which nobody reached "
    "the target counts against all."
)
PROFILE_SCORES = (
    "⅓ ∫ ρ(τ) dτ from 1 to 4, the score of AlgoPerf (Dahl et al. 2023): 1 is the fastest in every task."
)
PROBABILITIES = (
    "The probability that a run of {best} has a better score, on the set that ranks, than one of the other "
    "competitor: U / (m n) over all pairs of their m and n runs, equal scores half, failures last; mean over "
    "tasks. The 95 % interval is a bootstrap over runs, stratified by task (rliable, Agarwal et al. 2021): "
    "other seeds on the same tasks and texts. With three to five runs in each of three tasks it covers about "
    "91 % instead of 95 % (simulated, normal scores), and where every run is better it has no width. {best} "
    "was picked as the best from the same runs, which flatters it."
)
AGGREGATE = (
    "Mean of the middle half of the runs of all tasks (rliable, Agarwal et al. 2021). A run counts with its "
    "score, on the set that ranks, as a multiple of the best mean of its task: perplexities, or errors plus "
    f"{ERROR_ALLOWANCE:g} where accuracy ranks; lower is better. Runs that failed or diverged are infinite. "
    "The interval is a stratified bootstrap over runs."
)


def across_tasks_section(data: SweepData, rankings: Sequence[Ranking]) -> Section | None:
    """Return the section; None where no two tasks share two competitors."""
    # Rankings are over the seeds that choose settings; here others may judge them.
    tasks = shared_tasks(comparable_sets(data.runs), data.configs, data.records, data.epochs)
    if not tasks:
        return None
    times = time_table(tasks)
    profiles = pd.concat([profile_table(tasks, times, measure) for measure in MEASURES], ignore_index=True)
    caption = PROFILES.format(tasks=len(tasks))
    blocks: list[Block] = [
        _times_block(tasks, times),
        Chart.from_altair("performance_profiles", caption, profile_chart(profiles, data.values.values())),
        _scores_block(tasks, times),
        _probabilities_block(tasks),
    ]
    if len(tasks) >= MIN_AGGREGATED:
        blocks.append(_aggregate_block(tasks))
    titles = {task.title for task in tasks}
    others = [r.comparable.title for r in rankings if r.comparable.title not in titles]
    if others:
        blocks.append(f"Left out, because not all of these competitors took part: {format_names(others)}.")
    return Section("Across tasks", blocks, {"across_tasks": times, "profiles": profiles})


def time_table(tasks: Sequence[SharedTask]) -> pd.DataFrame:
    """Return one row per task and competitor: target, median steps and seconds, runs, and who reached it."""
    rows = [
        [
            task.title,
            name,
            task.target,
            float(np.median(tuned.steps)),
            float(np.median(tuned.seconds)),
            tuned.reached,
            len(tuned.steps),
        ]
        for task in tasks
        for name, tuned in task.competitors.items()
    ]
    return pd.DataFrame(rows, columns=TIME_COLUMNS)


def _ratios(tasks: Sequence[SharedTask], times: pd.DataFrame, measure: str) -> np.ndarray:
    """Return t / t_best, (tasks, competitors), in the order of the tasks and of their competitors."""
    return performance_ratios(times[measure].to_numpy(float).reshape(len(tasks), -1))


def profile_table(tasks: Sequence[SharedTask], times: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return the corners of each competitor's profile: competitor, tau, share, measure."""
    ratios = _ratios(tasks, times, measure)
    rows = []
    for number, name in enumerate(tasks[0].competitors):
        corners = {1.0, MAX_RATIO, *(ratio for ratio in ratios[:, number] if ratio <= MAX_RATIO)}
        rows += [
            [name, tau, float(profile_share(ratios, tau)[number]), measure]
            for tau in sorted(map(float, corners))
        ]
    return pd.DataFrame(rows, columns=["competitor", "tau", "share", "measure"])


def profile_chart(profiles: pd.DataFrame, values: Iterable[str] = ()) -> AnyChart:
    """Return the profiles as steps that begin at τ = 1, of steps and of seconds side by side."""
    points = profiles.rename(columns={"competitor": "group"})
    style = GroupStyle(points["group"], values)
    scale = alt.Scale(type="log", domain=[1, MAX_RATIO], nice=False)
    axis = alt.Axis(values=[1, 1.5, 2, 3, 4], format="~g")
    x = alt.X("tau:Q", title="τ, multiple of the fastest", scale=scale, axis=axis)
    y_scale = alt.Scale(domain=[0, 1])
    y = alt.Y("share:Q", title="share of tasks", scale=y_scale, axis=alt.Axis(format="%"))
    tooltip = ["group:N", alt.Tooltip("tau:Q", format=".2f"), alt.Tooltip("share:Q", format=".0%")]
    lines = alt.Chart(points).mark_line(interpolate="step-after", strokeWidth=2.2)
    lines = lines.encode(x=x, y=y, color=style.line_colour, strokeDash=style.dash, tooltip=tooltip)
    lines = lines.properties(width=300, height=260)
    chart: alt.FacetChart = lines.facet(column=alt.Column("measure:N", sort=list(MEASURES), title=None))
    return chart


def _times_block(tasks: Sequence[SharedTask], times: pd.DataFrame) -> Table:
    settings = [tuned.setting for task in tasks for tuned in task.competitors.values()]
    by_accuracy = {task.title: task.by_accuracy for task in tasks}
    rows = [
        [
            str(row["task"]),
            str(row["competitor"]),
            setting,
            (format_accuracy if by_accuracy[row["task"]] else format_quantity)(row["target"]),
            format_quantity(row["steps"]),
            format_quantity(row["seconds"]),
            f"{row['reached']} of {row['runs']}",
        ]
        for (_, row), setting in zip(times.iterrows(), settings, strict=True)
    ]
    target = " ".join([PERPLEXITY_TARGET, *([ACCURACY_TARGET] if any(by_accuracy.values()) else [])])
    columns = [
        "task", "competitor", "tuned setting", "target", "steps to the target", "seconds to the target",
        "runs that reached it",
    ]  # fmt: skip
    note = " ".join([target, TUNED, *_judged_by(tasks), TIMES])
    return Table(columns, rows, note, text_columns=3)


def _judged_by(tasks: Sequence[SharedTask]) -> list[str]:
    """Say which runs count in the section: those that chose the settings, or others."""
    confirmed = [task.title for task in tasks if task.is_confirmed]
    if len(confirmed) == len(tasks):
        return [f"{OTHER_SEEDS}, here and below."]
    is_flattered = any(t.candidates > 1 for task in tasks for t in task.competitors.values())
    if confirmed:
        return [f"{OTHER_SEEDS} in {format_names(confirmed)}; elsewhere {SAME_SEEDS}."]
    return [f"{SAME_SEEDS[0].upper()}{SAME_SEEDS[1:]}."] if is_flattered else []


def _scores_block(tasks: Sequence[SharedTask], times: pd.DataFrame) -> Table:
    by_measure = [profile_scores(_ratios(tasks, times, measure)) for measure in MEASURES]
    scores = zip(tasks[0].competitors, *by_measure, strict=True)
    ordered = sorted(scores, key=lambda row: (-row[1], -row[2], row[0]))
    rows = [[name, *(f"{score:.3f}" for score in values)] for name, *values in ordered]
    columns = ["competitor", *(f"profile score in {measure}" for measure in MEASURES)]
    return Table(columns, rows, PROFILE_SCORES)


def _probabilities_block(tasks: Sequence[SharedTask]) -> Table:
    best = most_preferred(tasks)
    others = {
        name: probability_of_improvement(tasks, best, name) for name in tasks[0].competitors if name != best
    }
    ordered = sorted(others.items(), key=lambda pair: pair[1].value)
    rows = [[f"{best} better than {name}", *_format_estimate(chance, 2)] for name, chance in ordered]
    return Table(["pair", "probability", "95 % interval"], rows, PROBABILITIES.format(best=best))


def _aggregate_block(tasks: Sequence[SharedTask]) -> Table:
    means = {name: interquartile_mean(tasks, name) for name in tasks[0].competitors}
    ordered = sorted(means.items(), key=lambda pair: pair[1].value)
    rows = [[name, *_format_estimate(mean, 3)] for name, mean in ordered]
    return Table(["competitor", "interquartile mean", "95 % interval"], rows, AGGREGATE)


def _format_estimate(estimate: Estimate, decimals: int) -> list[str]:
    """Return the cells of a value and of its interval."""
    value, low, high = (
        f"{number:.{decimals}f}" if math.isfinite(number) else format_quantity(number) for number in estimate
    )
    return [value, MISSING if low == MISSING else f"{low} to {high}"]
