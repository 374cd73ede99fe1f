"""The files of one run, read as they are: what is cut off, foreign or missing is named, never guessed."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from tangsweep.config.identity import flatten
from tangsweep.report.data import run_table
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import ENDED, State

# Of an evaluated epoch: column → the column of metrics.csv.
EPOCHS = {
    "epoch": "epoch",
    "step": "step",
    "seconds": "seconds",
    "train_loss": "train/epoch_loss",
    "dev_loss": "val/loss",
    "dev_perplexity": "val/perplexity",
    "dev_accuracy": "val/accuracy",
    "distinct_units": "units/distinct",
}
BROKEN = (OSError, ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError)


class Unread(NamedTuple):
    """A file that could not be read, whole or in part, and why."""

    path: str
    why: str


class Reader:
    """Reads the files of runs; `unread` is what could not be."""

    def __init__(self) -> None:
        self.unread: list[Unread] = []

    def note(self, path: Path | str, why: str) -> None:
        self.unread.append(Unread(str(path), why))

    def config(self, folder: RunFolder) -> dict[str, Any]:
        """Flat; empty where there is none."""
        try:
            return dict(flatten(yaml.safe_load(folder.config.read_text(encoding="utf-8"))))
        except BROKEN as error:
            self.note(folder.config, f"no config: {type(error).__name__}")
            return {}

    def result(self, folder: RunFolder) -> dict[str, Any] | None:
        """The record, without what is of another type than it should be; None where there is none."""
        if not folder.result.exists():
            return None
        try:
            found = json.loads(folder.result.read_text(encoding="utf-8"))
            # A lone half of a surrogate pair is no text that could be written again.
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        except BROKEN as error:
            self.note(folder.result, f"no JSON: {type(error).__name__}")
            return None
        known = isinstance(found, dict) and isinstance(found.get("primary"), dict)
        if not known or str(found.get("status")) not in {state.value for state in State}:
            self.note(folder.result, "no record of this project")
            return None
        if wrong := run_table.clear_wrong(found):
            self.note(folder.result, f"of another type than expected, left out: {', '.join(wrong)}")
        return found

    def poems(self, folder: RunFolder) -> str:
        """Empty where there are none."""
        try:
            return folder.poems.read_text(encoding="utf-8", errors="replace") if folder.poems.exists() else ""
        except OSError as error:
            self.note(folder.poems, f"no poems: {type(error).__name__}")
            return ""

    def epochs(self, run: str, folder: RunFolder, result: Mapping[str, Any] | None) -> pd.DataFrame:
        """The evaluated rows of metrics.csv, those with an infinite loss as well."""
        empty = pd.DataFrame(columns=["run", *EPOCHS])
        if not folder.metrics.exists():
            if result is not None and result["status"] in ENDED:
                self.note(folder.metrics, "there is none, though the run ended")
            return empty
        try:
            read = self._rows(folder.metrics)
            evaluated = read[pd.to_numeric(read["val/loss"], errors="coerce").notna()]
        except BROKEN as error:
            self.note(folder.metrics, f"no metrics: {type(error).__name__}")
            return empty
        numbers = evaluated.reindex(columns=list(EPOCHS.values())).apply(pd.to_numeric, errors="coerce")
        numbers = numbers.set_axis(list(EPOCHS), axis=1).dropna(subset=["epoch", "step"])
        return numbers.drop_duplicates("epoch", keep="last").assign(run=run)

    def _rows(self, path: Path) -> pd.DataFrame:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if 0 < len(whole) < len(content):
            self.note(path, "its last line is cut off, and left out")
        read = pd.read_csv(io.BytesIO(whole), on_bad_lines="skip", low_memory=False)
        lost = len([line for line in whole.split(b"\n")[1:] if line.strip()]) - len(read)
        if lost:
            self.note(path, f"{lost} lines are no rows, and left out")
        if "val/accuracy" in read:
            unscored = int((read["val/accuracy"].notna() & read["val/loss"].isna()).sum())
            if unscored:
                self.note(path, f"{unscored} evaluations have a loss that is no number")
        return read

    def commands(self, sweep: Path) -> list[dict[str, Any]]:
        """What commands.jsonl says: each command's arguments, and how many runs it asked for."""
        path = sweep / "commands.jsonl"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        except OSError as error:
            self.note(path, f"no commands: {type(error).__name__}")
            return []
        found = []
        for number, line in enumerate(lines, 1):
            try:
                noted = json.loads(line)
                arguments, runs = [str(argument) for argument in noted["arguments"]], noted.get("runs")
                asked = runs if isinstance(runs, int) else 0
                found.append({"sweep": sweep.name, "arguments": arguments, "runs": asked})
            except (*BROKEN, KeyError):
                self.note(f"{path}, line {number}", "no JSON")
        return found
