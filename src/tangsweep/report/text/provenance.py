"""The sections of a report that are told of all its runs together."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tangsweep.report.analysis import summary
from tangsweep.report.analysis.ranking import Ranking
from tangsweep.report.charts import dataset_size, initialization, solve_rates
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.collect import Collected
from tangsweep.report.render.blocks import Block, Chart, Section, Table, Verses
from tangsweep.report.render.ranking_table import best_runs, quality_table
from tangsweep.runs import published

POEMS = 7  # of each group: one a start
REFUSED = (
    "The amount of data was varied, but no two amounts were scored on the same text with the same "
    "vocabulary: no chart. data.split=fixed with data.pool and data.dev_poems holds both fixed."
)


def whole(
    found: Collected,
    rankings: Sequence[Ranking],
    tables: dict[str, pd.DataFrame],
) -> list[Section]:
    """What is told of all runs together."""
    return [
        Section("Dataset size", _sizes(found, rankings, tables)),
        Section("Initialization", _starts(found)),
        Section("Solved", _solved(found, tables)),
        Section("Poems", _poems(found, rankings)),
        Section("Published figures", _published(found)),
        Section("Provenance", _provenance(found)),
        Section("Could not be read", _unread(found)),
    ]


def _sizes(found: Collected, rankings: Sequence[Ranking], tables: dict[str, pd.DataFrame]) -> list[Block]:
    if not dataset_size.varied(found.runs, found.configs):
        return []
    known = [of_part for ranking in rankings if (of_part := dataset_size.sizes(ranking.part))]
    if not known:
        return [REFUSED]
    shown: list[Block] = []
    for number, of_part in enumerate(known):
        tables["sizes" if not number else f"sizes-{number + 1}"] = of_part.points
        drawn = dataset_size.chart(of_part, GroupStyle(of_part.points["group"]))
        shown.append(Chart.of("sizes" if not number else f"sizes-{number + 1}", _laws(of_part), drawn))
    drawn_runs = {run for of_part in known for run in of_part.points["run"]}
    left = [str(run) for run in found.runs["run"] if run not in drawn_runs]
    if left:
        shown.append(f"Left out, scored on another text or not at all: {summary.named(left)}.")
    return shown


def _laws(found: dataset_size.Sizes) -> str:
    laws = [
        f"{group}: perplexity ~ characters^{law.exponent.mean:.3f} (95 % interval {law.exponent.low:.3f} to "
        f"{law.exponent.high:.3f}, {law.exponent.n} runs)"
        for group, law in found.laws.items()
    ]
    return "; ".join(laws) or "Fewer than three sizes: no power law is fitted."


def _starts(found: Collected) -> list[Block]:
    varied = any(len({repr(c.get(key)) for c in found.configs.values()}) > 1 for key in initialization.KEYS)
    if not varied:
        return []
    groups = dict(zip(found.runs["run"], found.runs["group"], strict=True))
    first = initialization.first_epochs(
        {run: folder.metrics for run, folder in found.folders.items()}, groups
    )
    look = GroupStyle(found.runs["group"])
    parts: list[Block] = []
    if len(first):
        parts.append(
            Chart.of(
                "first_epoch", "Training loss within the first epoch.", initialization.loss_chart(first, look)
            )
        )
        norms = initialization.gradients(first).sort_values("grad_norm", ascending=False)
        rows = [[r["run"], f"{r['step']:.0f}", f"{r['grad_norm']:.3g}"] for _, r in norms.iterrows()]
        parts.append(
            Table(["run", "step", "gradient norm"], rows, "The first that was logged, before clipping.")
        )
    if found.epochs["distinct_units"].notna().any():
        caption = "Units with the same weights are one unit. Under `zeros` they stay copies of each other."
        parts.append(Chart.of("distinct_units", caption, initialization.units_chart(found.epochs, look)))
    return parts


def _solved(found: Collected, tables: dict[str, pd.DataFrame]) -> list[Block]:
    rates = solve_rates.rates(found.runs)
    if rates.empty:
        return []
    tables["solved"] = rates
    look = GroupStyle(map(solve_rates.without_length, found.runs["group"]))
    rows = [
        [str(r["group"]), str(r["length"]), f"{r['solved']} of {r['seeds']}", _steps(r), r["accuracies"]]
        for _, r in rates.iterrows()
    ]
    columns = ["group", "length", "solved", "steps to solve: least, median, most", "accuracy of each seed"]
    caption = "Results are bimodal: success rates, steps and every seed, never means alone."
    return [Chart.of("solved", caption, solve_rates.chart(found.runs, rates, look)), Table(columns, rows)]


def _steps(row: pd.Series) -> str:
    values = [row[f"steps_to_solve_{which}"] for which in ("least", "median", "most")]
    return "–" if pd.isna(values[0]) else ", ".join(f"{value:,.0f}" for value in values)


def _poems(found: Collected, rankings: Sequence[Ranking]) -> list[Block]:
    shown: list[Block] = []
    for ranking in rankings:
        best = [(group, run) for group, run in best_runs(ranking).items() if found.poems.get(run)]
        if best:
            lines = dict(zip(ranking.part.runs["run"], ranking.part.runs["right_lines"], strict=True))
            headed = [(f"{group}{_right(lines[run])}", _first(found.poems[run])) for group, run in best]
            shown.append(Verses(headed))
            shown.append(f"Of the best run of each group ({ranking.part.title}).")
        measured = quality_table(ranking)
        if measured:
            shown.append(measured)
    return shown


def _right(share: Any) -> str:
    return "" if share is None or pd.isna(share) else f" · {share:.0%} of lines of the right length"


def _first(text: str) -> str:
    """The first poems of poems.txt, without their headings: those of the first form."""
    poems = [poem.partition("\n")[2].strip() for poem in re.split(r"^# ", text, flags=re.MULTILINE)[1:]]
    return "\n\n".join(poems[:POEMS])


def _published(found: Collected) -> list[Block]:
    rows = summary.published(found.results)
    if not rows:
        return []
    columns = ["run", "figure", "published", "ours", "how far the run got"]
    note = "Under the same convention; docs/experiments.md says more of the settings."
    told = {run: found.configs[run].get(f"published.{published.DIFFERENCES}") for run, *_ in rows}
    differences: list[Block] = [
        f"{run} differs in its setting: {text}." for run, text in told.items() if text
    ]
    return [Table(columns, rows, note, names=2), *differences]


def _provenance(found: Collected) -> list[Block]:
    columns = ["run", "status", "seed", "overrides", "identity", "commit", "versions"]
    columns += ["threads", "kernel", "W&B"]
    rows = [_origin(run) for _, run in found.runs.iterrows()]
    commands = [shlex.join(["python", "src/train.py", *c["arguments"]]) for c in found.commands]
    failures = found.runs[found.runs["error"].notna()]
    parts: list[Block] = []
    if commands:
        parts.append("What repeats the sweep: " + "; ".join(dict.fromkeys(commands)))
    parts.append(Table(columns, rows, names=len(columns)))
    if len(failures):
        errors = [[str(run["run"]), str(run["error"])] for _, run in failures.iterrows()]
        parts.append(Table(["failed run", "why"], errors, names=2))
    return parts


def _origin(run: pd.Series) -> list[str]:
    changed = " (changed)" if run["dirty"] is True else ""
    return [
        str(run["run"]),
        str(run["status"]),
        _word(run["seed"], "{:.0f}"),
        _word(run["overrides"]),
        _word(run["config_hash"]),
        _word(run["commit"])[:12] + changed,
        ", ".join(f"{name} {run[name]}" for name in ("python", "torch") if pd.notna(run[name])) or "–",
        _word(run["threads"], "{:.0f}"),
        _word(run["kernel"]),
        _word(run["wandb_path"]),
    ]


def _word(value: Any, form: str = "{}") -> str:
    return "–" if value is None or pd.isna(value) else form.format(value)


def _unread(found: Collected) -> list[Block]:
    rows = [[unread.path, unread.why] for unread in found.unread]
    return [Table(["file", "why"], rows, names=2)] if rows else []
