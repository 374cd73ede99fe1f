"""Read the files of one run and list as unreadable what is truncated, foreign or missing."""

import io
import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import yaml

from tangsweep.config.identity import flatten
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record
from tangsweep.runs.record_file import parse_record
from tangsweep.runs.state import ENDED, State

# Column of the table `epochs` → column of metrics.csv.
EPOCH_COLUMNS = {
    "epoch": "epoch",
    "step": "step",
    "seconds": "seconds",
    "train_loss": "train/epoch_loss",
    "dev_loss": "val/loss",
    "dev_perplexity": "val/perplexity",
    "dev_accuracy": "val/accuracy",
    "distinct_units": "units/distinct",
}
READ_ERRORS = (OSError, ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError)

ConfigValue = str | int | float | list["ConfigValue"] | None
FlatConfig = dict[str, ConfigValue]  # `group.key` → value


class UnreadableFile(NamedTuple):
    """A file that could not be read in whole or in part, and the reason."""

    path: str
    reason: str


class SweepCommand(NamedTuple):
    """A command that worked on a sweep: its arguments, and how many runs it named (0 where unknown)."""

    sweep: str
    arguments: list[str]
    runs: int


class RunFileReader:
    """Reads the files of runs and collects in `unreadable` what could not be read."""

    def __init__(self) -> None:
        self.unreadable: list[UnreadableFile] = []

    def add_unreadable(self, path: Path | str, reason: str) -> None:
        self.unreadable.append(UnreadableFile(str(path), reason))

    def config(self, folder: RunFolder) -> FlatConfig:
        """Return the flat config; empty where there is none."""
        try:
            return dict(flatten(yaml.safe_load(folder.config.read_text(encoding="utf-8"))))
        except READ_ERRORS as error:
            self.add_unreadable(folder.config, f"no config: {type(error).__name__}")
            return {}

    def record(self, folder: RunFolder) -> Record | None:
        """Return the record without fields of the wrong type; None where there is none."""
        if not folder.result.exists():
            return None
        try:
            values = json.loads(folder.result.read_text(encoding="utf-8"))
            # A lone surrogate could not be encoded again when the report is written.
            values = json.loads(json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
        except READ_ERRORS as error:
            self.add_unreadable(folder.result, f"no JSON: {type(error).__name__}")
            return None
        try:
            record, wrong_fields = parse_record(values)
        except ValueError:
            self.add_unreadable(folder.result, "no record of this project")
            return None
        if record.primary is None or record.status not in set(State):
            self.add_unreadable(folder.result, "no record of this project")
            return None
        if wrong_fields:
            self.add_unreadable(
                folder.result, f"fields of the wrong type, left out: {', '.join(wrong_fields)}"
            )
        return record

    def poems(self, folder: RunFolder) -> str:
        """Return the text of poems.txt; empty where there are no poems."""
        try:
            return folder.poems.read_text(encoding="utf-8", errors="replace") if folder.poems.exists() else ""
        except OSError as error:
            self.add_unreadable(folder.poems, f"no poems: {type(error).__name__}")
            return ""

    def epochs(self, run: str, folder: RunFolder, record: Record | None) -> pd.DataFrame:
        """Return the rows of metrics.csv with an evaluation, including those whose loss is infinite.

        Columns are those of the file, and `run`; values are as they were read.
        """
        no_rows = pd.DataFrame(columns=["run", *EPOCH_COLUMNS.values()])
        if not folder.metrics.exists():
            if record is not None and record.status in ENDED:
                self.add_unreadable(folder.metrics, "missing, although the run ended")
            return no_rows
        try:
            rows = self._metrics_rows(folder.metrics)
            evaluated = rows[pd.to_numeric(rows["val/loss"], errors="coerce").notna()]
        except READ_ERRORS as error:
            self.add_unreadable(folder.metrics, f"no metrics: {type(error).__name__}")
            return no_rows
        return evaluated.reindex(columns=list(EPOCH_COLUMNS.values())).assign(run=run)

    def _metrics_rows(self, path: Path) -> pd.DataFrame:
        content = path.read_bytes()
        complete_lines = content[: content.rfind(b"\n") + 1]
        if 0 < len(complete_lines) < len(content):
            self.add_unreadable(path, "the last line is truncated and left out")
        rows: pd.DataFrame = pd.read_csv(io.BytesIO(complete_lines), on_bad_lines="skip", low_memory=False)
        line_count = sum(1 for line in complete_lines.split(b"\n")[1:] if line.strip())
        if line_count != len(rows):
            self.add_unreadable(path, f"{line_count - len(rows)} lines are no valid rows and left out")
        if "val/accuracy" in rows:
            without_loss = int((rows["val/accuracy"].notna() & rows["val/loss"].isna()).sum())
            if without_loss:
                self.add_unreadable(path, f"{without_loss} evaluations have a loss that is no number")
        return rows

    def commands(self, sweep: Path) -> list[SweepCommand]:
        """Return the commands that commands.jsonl of a sweep's folder names."""
        path = sweep / "commands.jsonl"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        except OSError as error:
            self.add_unreadable(path, f"no commands: {type(error).__name__}")
            return []
        commands = []
        for number, line in enumerate(lines, 1):
            try:
                values = json.loads(line)
                arguments, runs = [str(argument) for argument in values["arguments"]], values.get("runs")
                commands.append(SweepCommand(sweep.name, arguments, runs if isinstance(runs, int) else 0))
            except (*READ_ERRORS, KeyError):
                self.add_unreadable(f"{path}, line {number}", "no JSON")
        return commands
