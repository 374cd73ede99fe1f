"""Read the files of one run and list as unreadable what is truncated, foreign or missing.

Texts are printable from here on: no control character of a file reaches a page, a chart or a terminal.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

import pandas as pd
import yaml

from tangsweep.config.identity import flatten
from tangsweep.files import read_regular_file
from tangsweep.printable import printable, printable_line
from tangsweep.runs.checkpoint_rows import rows_text_in
from tangsweep.runs.checksums import WAS_CHANGED, ChangedFile, check_checksum, is_changed
from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import COLUMNS, FilledRow, parse_metrics
from tangsweep.runs.record import Record
from tangsweep.runs.record_file import load_values, parse_record
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
# What a report takes from the config where there is no record yet, with its type.
CONFIG_TYPES: dict[str, type | UnionType] = {
    "seed": int,
    "corpus.name": str,
    "corpus.length": int | float,
    "corpus.primary.metric": str,
    "corpus.primary.mode": str,
}
MAX_RUNS = 1_000_000  # of a command
MAX_INTEGER = 2**63  # a larger one fits into no column
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
        self.unreadable.append(UnreadableFile(printable_line(str(path)), printable_line(reason)))

    def is_as_recorded(self, path: Path, record: Record | None) -> bool:
        """Return whether a file has the content that the record has a checksum of; list one that has not."""
        changed = path.exists() and is_changed(path, record.checksums if record else None)
        if changed:
            remedy = "remove result.json beside it, and the same command writes both again"
            self.add_unreadable(path, f"{WAS_CHANGED}, and left out: {remedy}")
        return not changed

    def config(self, folder: RunFolder, record: Record | None = None) -> FlatConfig:
        """Return the flat config without keys of CONFIG_TYPES of another type; empty where there is none."""
        if not self.is_as_recorded(folder.config, record):
            return {}
        try:
            leaves = flatten(read_config(folder))
            config = {printable_line(key): _printable_values(value) for key, value in leaves}
        except ChangedFile:
            self.add_unreadable(
                folder.config, f"{WAS_CHANGED}, and left out: the same command writes it again"
            )
            return {}
        except READ_ERRORS as error:
            self.add_unreadable(folder.config, f"no config: {type(error).__name__}")
            return {}
        wrong = [key for key, kind in CONFIG_TYPES.items() if not _is_of_type(config.get(key), kind)]
        if wrong:
            self.add_unreadable(folder.config, f"keys of the wrong type, left out: {', '.join(wrong)}")
        return {key: value for key, value in config.items() if key not in wrong}

    def record(self, folder: RunFolder) -> Record | None:
        """Return the record without fields of the wrong type or range; None where there is none."""
        if not folder.result.exists():
            return None
        try:
            values = _printable_values(load_values(folder))
        except ChangedFile:
            self.add_unreadable(
                folder.result, f"{WAS_CHANGED}, and left out: the same command ends the run again"
            )
            return None
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
                folder.result, f"fields of the wrong type or range, left out: {', '.join(wrong_fields)}"
            )
        return record

    def poems(self, folder: RunFolder, record: Record | None = None) -> str:
        """Return the text of poems.txt; empty where there are no poems."""
        if not folder.poems.exists() or not self.is_as_recorded(folder.poems, record):
            return ""
        try:
            text = read_regular_file(folder.poems).decode("utf-8", "replace")
            return printable(text.replace("\r\n", "\n"))
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
        if not self.is_as_recorded(folder.metrics, record):
            return no_rows
        evaluated, problems = _read_evaluations(folder, has_ended=record is not None)
        if problems:
            self.add_unreadable(folder.metrics, "; ".join(problems))
        return pd.DataFrame(evaluated, columns=list(EPOCH_COLUMNS.values())).assign(run=run)

    def commands(self, sweep: Path) -> list[SweepCommand]:
        """Return the commands that commands.jsonl of a sweep's folder names."""
        path = sweep / "commands.jsonl"
        try:
            content = read_regular_file(path) if path.exists() else b""
        except OSError as error:
            self.add_unreadable(path, f"no commands: {type(error).__name__}")
            return []
        commands = []
        lines = content.decode("utf-8", "replace").removesuffix("\n").split("\n") if content else []
        for number, line in enumerate(lines, 1):
            try:
                values = json.loads(line)
                check_checksum(values)
                arguments = [printable_line(str(argument)) for argument in values["arguments"]]
                runs = values.get("runs")
                count = runs if isinstance(runs, int) and 0 <= runs <= MAX_RUNS else 0
                commands.append(SweepCommand(printable_line(sweep.name), arguments, count))
            except ChangedFile:
                self.add_unreadable(f"{path}, line {number}", f"{WAS_CHANGED}, and left out")
            except (*READ_ERRORS, KeyError):
                self.add_unreadable(f"{path}, line {number}", "no JSON")
        return commands


def _is_of_type(value: ConfigValue, kind: type | UnionType) -> bool:
    return value is None or (isinstance(value, kind) and not isinstance(value, bool))


class Evaluations(NamedTuple):
    """Rows with a development loss, infinite ones too, and in words what is wrong with the file."""

    rows: list[FilledRow]
    problems: list[str]


def _read_evaluations(folder: RunFolder, has_ended: bool) -> Evaluations:
    """Return the evaluations in metrics.csv; `problems` says what could not be read.

    While a run has not ended, last.ckpt holds the rows up to the last epoch: where the file has others, it
    was changed, and those of last.ckpt are returned.
    """
    expected = None if has_ended else rows_text_in(folder.last)  # first: a run may write while it is read
    try:
        text = read_regular_file(folder.metrics).decode("utf-8", "replace")
    except OSError as error:
        return Evaluations([], [f"no metrics: {type(error).__name__}"])
    if expected is not None and not text.startswith(expected):
        problem = f"{WAS_CHANGED}: shown are the rows that last.ckpt has, and the same command restores them"
        return _evaluations_in(expected, [problem])
    header, _, lines = text.partition("\n")
    if not {"step", "epoch", "val/loss"} <= set(header.strip().split(",")) <= set(COLUMNS):
        return Evaluations([], ["no metrics: the header is damaged"])
    is_cut = bool(lines) and not lines.endswith("\n")
    return _evaluations_in(text, ["the last line is truncated and left out"] if is_cut else [])


def _evaluations_in(text: str, problems: list[str]) -> Evaluations:
    rows, unreadable = parse_metrics(text)
    if unreadable:
        problems.append(f"{unreadable} lines are no valid rows and left out")
    without_loss = sum("val/accuracy" in row and math.isnan(_loss(row)) for row in rows)
    if without_loss:
        problems.append(f"{without_loss} evaluations have a loss that is no number")
    return Evaluations([row for row in rows if not math.isnan(_loss(row))], problems)


def _loss(row: FilledRow) -> float:
    return row.get("val/loss", math.nan)


def _printable_values(value: Any) -> Any:
    """Return plain values with printable texts, in mappings and lists as well; other values become texts."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable_line(str(key)): _printable_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable_values(item) for item in value]
    if isinstance(value, int):
        return value if abs(value) < MAX_INTEGER else hex(value)
    return value if value is None or isinstance(value, float) else printable(str(value))  # such as a date
