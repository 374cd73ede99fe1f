"""The closing comparison of a sweep: a table on the console, comparison.csv and .md, the curves."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from tangsweep import places
from tangsweep.console import console, readable, say
from tangsweep.runs.folder import RunFolder, atomic_write
from tangsweep.runs.record import read_result
from tangsweep.sweep import curves

SHOWN = {  # column → its heading on the console and in Markdown; comparison.csv has more
    "run": "run",
    "status": "status",
    "dev_perplexity": "dev ppl",
    "best_epoch": "epoch",
    "train_perplexity": "train ppl",
    "last_train_perplexity": "at end",
    "seconds": "seconds",
}
MAY_DIFFER = ("corpus", "uniform", "unigram", "bigram")  # columns where they do, else in the caption
ALSO = ("last_dev_perplexity", "scored_on", "seed", "error", "folder")


def close(folder: Path) -> None:
    """Compare every run in `folder`, print the table, write the files, say where they lie."""
    runs = table(folder)
    if runs.empty:
        return
    caption = describe(runs)
    shown = {**SHOWN, **{key: key for key in MAY_DIFFER if runs[key].nunique() > 1}}
    console.print(_console_table(runs, shown))
    say(caption)
    atomic_write(folder / "comparison.csv", runs.to_csv(index=False))
    atomic_write(folder / "comparison.md", f"{_markdown(runs, shown)}\n\n{caption}\n")
    named = {row["run"]: RunFolder(folder / row["folder"]) for _, row in runs.iterrows()}
    drawn = curves.write(folder, named, caption)
    files = "comparison.csv, comparison.md" + (", curves.html, curves.png" if drawn else "")
    say(f"{places.shown(folder)}: {files}, and a folder a run")


def table(folder: Path) -> pd.DataFrame:
    """One row a run that has a config, best development perplexity first; nothing without a folder."""
    paths = sorted(path.parent for path in folder.glob("*/config.yaml"))
    short = [path.name.rpartition("-")[0] for path in paths]
    clashing = {name for name, count in Counter(short).items() if count > 1}
    rows = [
        {"run": path.name if name in clashing else name, "folder": path.name, **_row(path)}
        for path, name in zip(paths, short, strict=True)
    ]
    runs = pd.DataFrame(rows, columns=[*SHOWN, *MAY_DIFFER, *ALSO])
    return runs.sort_values("dev_perplexity", na_position="last", ignore_index=True)


def _row(path: Path) -> dict[str, Any]:
    result = read_result(RunFolder(path))
    if result is None:
        return {"status": "unfinished"}
    last = result.get("last") or {}
    return {
        "status": result["status"],
        "dev_perplexity": _perplexity(result.get("dev")),
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
        parts.append("baselines: " + ", ".join(f"{key} {readable(given[key])}" for key in same))
    if runs["scored_on"].nunique() > 1:
        parts.append("runs scored on different text or vocabularies: their perplexities do not compare")
    return "; ".join(parts)


def _cells(runs: pd.DataFrame, shown: dict[str, str]) -> list[list[str]]:
    return [[_cell(row[key]) for key in shown] for _, row in runs.iterrows()]


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return readable(value) if isinstance(value, float) else str(value)


def _console_table(runs: pd.DataFrame, shown: dict[str, str]) -> Table:
    drawn = Table(box=box.SIMPLE, padding=(0, 1))
    for key, heading in shown.items():
        drawn.add_column(
            heading,
            justify="left" if key in ("run", "status") else "right",
            no_wrap=key != "run",  # a name may fold, a figure is never cut
            overflow="fold",
        )
    for cells in _cells(runs, shown):
        drawn.add_row(*cells)
    return drawn


def _markdown(runs: pd.DataFrame, shown: dict[str, str]) -> str:
    rows = [list(shown.values()), ["---"] * len(shown), *_cells(runs, shown)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
