"""The closing comparison of a sweep: a table on the console, comparison.csv and .md, the curves."""

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
    "dev_perplexity": "best dev ppl",
    "best_epoch": "at epoch",
    "train_perplexity": "train ppl there",
    "last_train_perplexity": "train ppl at end",
    "unigram": "unigram ppl",
    "bigram": "bigram ppl",
    "seconds": "seconds",
}
ALSO = ["last_dev_perplexity", "corpus", "seed", "error", "folder"]


def close(folder: Path) -> None:
    """Compare every run in `folder`, print the table, write the files, say where they lie."""
    runs = table(folder)
    if runs.empty:
        return
    corpora = sorted(set(runs["corpus"].dropna()))
    caption = f"corpus: {', '.join(corpora) or 'unknown, no run has a record'}"
    if "sample" in corpora:
        caption += ": the bundled sample of 120 poems, NOT 全唐诗"
    console.print(_console_table(runs, caption))
    atomic_write(folder / "comparison.csv", runs.to_csv(index=False))
    atomic_write(folder / "comparison.md", f"{_markdown(runs)}\n\n{caption}\n")
    curves.write(folder, [RunFolder(folder / run) for run in runs["folder"]], caption)
    say(f"{places.shown(folder)}: comparison.csv, comparison.md, curves.html, curves.png, and a folder a run")


def table(folder: Path) -> pd.DataFrame:
    """One row a run that has a record or a config, best development perplexity first."""
    rows = [_row(path) for path in sorted(folder.iterdir()) if (path / "config.yaml").exists()]
    runs = pd.DataFrame(rows, columns=[*SHOWN, *ALSO])
    return runs.sort_values("dev_perplexity", na_position="last", ignore_index=True)


def _row(path: Path) -> dict[str, Any]:
    result = read_result(RunFolder(path))
    if result is None:
        return {"run": path.name.rpartition("-")[0], "status": "no record", "folder": path.name}

    def perplexity(*keys: str) -> float | None:
        found: Any = result
        for key in (*keys, "perplexity"):
            found = (found or {}).get(key)
        return found

    return {
        "run": path.name.rpartition("-")[0],
        "status": result["status"],
        "dev_perplexity": perplexity("dev"),
        "best_epoch": result.get("best_epoch"),
        "train_perplexity": perplexity("train"),
        "last_train_perplexity": perplexity("last", "train"),
        "last_dev_perplexity": perplexity("last", "dev"),
        "unigram": result["baselines"]["unigram"],
        "bigram": result["baselines"]["bigram"],
        "seconds": result.get("seconds"),
        "corpus": result["corpus"]["name"],
        "seed": result["seed"],
        "error": result["error"],
        "folder": path.name,
    }


def _cells(runs: pd.DataFrame) -> list[list[str]]:
    return [[_cell(row[key]) for key in SHOWN] for _, row in runs.iterrows()]


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return readable(value) if isinstance(value, float) else str(value)


def _console_table(runs: pd.DataFrame, caption: str) -> Table:
    shown = Table(caption=caption, box=box.SIMPLE)
    for key, heading in SHOWN.items():
        text = key in ("run", "status")
        shown.add_column(heading, justify="left" if text else "right", no_wrap=text)
    for cells in _cells(runs):
        shown.add_row(*cells)
    return shown


def _markdown(runs: pd.DataFrame) -> str:
    rows = [list(SHOWN.values()), ["---"] * len(SHOWN), *_cells(runs)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
