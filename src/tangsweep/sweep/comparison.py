"""The closing comparison of a sweep: a table on the console, comparison.csv and .md, the curves."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from tangsweep import places
from tangsweep.console import console, readable, say
from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.record import read_result
from tangsweep.runs.state import of
from tangsweep.sweep import accuracy, curves, poetry, solving
from tangsweep.sweep.grouping import groups

# Column → its heading on the console and in Markdown, by the metric that ranks; comparison.csv has all.
PERPLEXITY = {
    "run": "run",
    "status": "status",
    "dev_perplexity": "dev ppl",
    "best_epoch": "epoch",
    "train_perplexity": "train ppl",
    "last_train_perplexity": "at end",
    "seconds": "seconds",
}
ACCURACY = {
    "run": "run",
    "status": "status",
    "dev_accuracy": "dev accuracy",
    "last_dev_accuracy": "at end",
    "dev_loss": "dev loss",
    "steps": "steps",
    "ended": "ended",
    "solved_step": "solved at",
    "seconds": "seconds",
}
FINE = ("dev_accuracy", "last_dev_accuracy", "dev_loss")  # shown with four decimals
MAY_DIFFER = ("corpus", "uniform", "unigram", "bigram")  # columns where they do, else in the caption
ALSO = (
    "overrides",
    "metric",
    "last_dev_perplexity",
    "last_dev_accuracy",
    "scored_on",
    "seed",
    "length",
    "error",
    "folder",
)


def close(folder: Path) -> None:
    """Compare every run in `folder`, print the table, write the files, say where they lie."""
    runs = table(folder)
    if runs.empty:
        return
    caption = describe(runs)
    columns = ACCURACY if ranked_by_accuracy(runs) else PERPLEXITY
    if runs["solved_step"].isna().all():
        columns = {key: heading for key, heading in columns.items() if key != "solved_step"}
    shown = {**columns, **{key: key for key in MAY_DIFFER if runs[key].nunique() > 1}}
    console.print(_console_table(runs, shown))
    say(caption)
    written = f"{_markdown(runs, shown)}\n\n{caption}\n"
    if runs["prosody"].notna().any():
        measured = runs[runs["prosody"].notna()]
        below = poetry.caption(sorted(measured["prosody"].unique()))
        console.print(_console_table(measured, poetry.CONSOLE))
        say(below)
        written += f"\n{_markdown(measured, poetry.HEADINGS)}\n\n{below}\n"
    atomic_write(folder / "comparison.csv", runs.drop(columns="overrides").to_csv(index=False))
    atomic_write(folder / "comparison.md", written)
    named = {row["run"]: RunFolder(folder / row["folder"]) for _, row in runs.iterrows()}
    files = "comparison.csv, comparison.md"
    if ranked_by_accuracy(runs):
        of_seeds = groups(dict(zip(runs["run"], runs["overrides"], strict=True)), without=("seed",))
        files += ", accuracy.html, accuracy.png" if accuracy.write(folder, named, of_seeds, caption) else ""
    else:
        files += ", curves.html, curves.png" if curves.write(folder, named, caption) else ""
    if solving.write(folder, runs):
        files += ", solved.csv, solved.html, solved.png"
    say(f"{places.shown(folder)}: {files}, and a folder a run")


def table(folder: Path) -> pd.DataFrame:
    """One row a run that has a config, best development score first; nothing without a folder."""
    paths = [path.parent for path in sorted(folder.glob("*/config.yaml"))]
    paths = [path for path in paths if not RunFolder(path).replaced]
    rows = [{"folder": path.name, **_row(path)} for path in paths]
    named = _named({row["folder"]: row["overrides"] for row in rows})
    rows = [{"run": named[row["folder"]], **row} for row in rows]
    columns = dict.fromkeys([*PERPLEXITY, *ACCURACY, *MAY_DIFFER, *ALSO, *poetry.COLUMNS])
    runs = pd.DataFrame(rows, columns=list(columns))
    by_accuracy = ranked_by_accuracy(runs)
    key = "dev_accuracy" if by_accuracy else "dev_perplexity"
    return runs.sort_values(key, ascending=not by_accuracy, na_position="last", ignore_index=True)


def _named(overrides: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Folder → name: without its hash, where several are alike with what else differs, else with the hash."""
    names: dict[str, str] = {}
    short = {folder: folder.rpartition("-")[0] for folder in overrides}
    for name in set(short.values()):
        alike = [folder for folder, own in short.items() if own == name]
        differing = groups({folder: overrides[folder] for folder in alike}, without=())
        told_apart = len(set(differing.values())) == len(alike)
        for folder in alike:
            if len(alike) == 1:
                names[folder] = name
            else:
                names[folder] = f"{name} ({differing[folder]})" if told_apart else folder
    return names


def ranked_by_accuracy(runs: pd.DataFrame) -> bool:
    """Whether accuracy is what the runs' corpus calls primary."""
    return bool((runs["metric"] == "accuracy").any())


def _row(path: Path) -> dict[str, Any]:
    result = read_result(RunFolder(path))
    if result is None:
        return {"status": of(RunFolder(path)).value, "overrides": []}
    last, dev = result.get("last") or {}, result.get("dev") or {}
    return {
        "status": result["status"],
        "metric": result["primary"]["metric"],
        "overrides": result["overrides"],
        "dev_perplexity": _perplexity(result.get("dev")),
        "dev_accuracy": dev.get("accuracy"),
        "dev_loss": dev.get("loss"),
        "last_dev_accuracy": (last.get("dev") or {}).get("accuracy"),
        "steps": result.get("steps"),
        "ended": result.get("ended"),
        "solved_step": result.get("solved_step"),
        "length": result["corpus"].get("length"),
        "best_epoch": result.get("best_epoch"),
        "train_perplexity": _perplexity(result.get("train")),
        "last_train_perplexity": _perplexity(last.get("train")),
        "last_dev_perplexity": _perplexity(last.get("dev")),
        "seconds": result.get("seconds"),
        "corpus": result["corpus"]["name"],
        # Perplexities compare only where the same characters are scored with the same vocabulary.
        "scored_on": "-".join(str(result["corpus"].get(f"{k}_fingerprint")) for k in ("vocabulary", "dev")),
        "seed": result["seed"],
        "error": result["error"],
        **result["baselines"],
        **poetry.row(result),
    }


def _perplexity(scores: dict[str, Any] | None) -> float | None:
    """Infinity where the record has null because JSON knows no infinity."""
    if scores is None:
        return None
    return math.inf if scores["perplexity"] is None else scores["perplexity"]


def describe(runs: pd.DataFrame) -> str:
    """Corpus and baselines of the runs, and what forbids to compare them."""
    corpora = sorted(set(runs["corpus"].dropna()))
    parts = [f"corpus: {' and '.join(corpora) or 'unknown, no run has ended'}"]
    if "sample" in corpora:
        parts[0] += " (sample: 120 poems written for this project, NOT 全唐诗)"
    same = [key for key in MAY_DIFFER[1:] if runs[key].nunique() == 1]
    if same:
        given = runs.dropna(subset=same).iloc[0]
        if ranked_by_accuracy(runs):
            parts.append(f"guessing: accuracy {1 / given['uniform']:.2g}")
        else:
            parts.append("baselines: " + ", ".join(f"{key} {readable(given[key])}" for key in same))
    if runs["scored_on"].nunique() > 1 and not ranked_by_accuracy(runs):
        parts.append("runs scored on different text or vocabularies: their perplexities do not compare")
    return "; ".join(parts)


def _cells(runs: pd.DataFrame, shown: dict[str, str]) -> list[list[str]]:
    return [[_cell(row[key], key) for key in shown] for _, row in runs.iterrows()]


def _cell(value: Any, key: str) -> str:
    if pd.isna(value):
        return "–"
    if key in FINE:
        return f"{value:.4f}"
    if key in poetry.SHARES:
        return f"{value:.0%}"
    return readable(value) if isinstance(value, float) else str(value)


def _console_table(runs: pd.DataFrame, shown: dict[str, str]) -> Table:
    drawn = Table(box=box.SIMPLE, padding=(0, 1))
    for key, heading in shown.items():
        drawn.add_column(
            heading,
            justify="left" if key in ("run", "status", "ended") else "right",
            no_wrap=key != "run",  # a name may fold, a figure is never cut
            overflow="fold",
        )
    for cells in _cells(runs, shown):
        drawn.add_row(*cells)
    return drawn


def _markdown(runs: pd.DataFrame, shown: dict[str, str]) -> str:
    rows = [list(shown.values()), ["---"] * len(shown), *_cells(runs, shown)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
