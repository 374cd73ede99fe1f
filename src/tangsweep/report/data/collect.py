"""Read the folders of one or several sweeps into tables; nothing on disk is changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tangsweep.report.data.groups import group_names
from tangsweep.report.data.run_files import (
    EPOCH_COLUMNS,
    ConfigValue,
    FlatConfig,
    RunFileReader,
    SweepCommand,
    UnreadableFile,
)
from tangsweep.report.data.run_table import TableValue, record_row
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record
from tangsweep.runs.state import run_state

RUN_COLUMNS = ("run", "sweep", "folder", "group", "overrides", *record_row(Record(status="")))


class SweepData(NamedTuple):
    """Everything that was read from the folders of sweeps.

    `runs` has one row per run. `epochs` has one row per run and evaluated epoch; epoch 0 is the untrained model.
    """

    runs: pd.DataFrame
    epochs: pd.DataFrame
    folders: dict[str, RunFolder]  # by run, as are the next three
    configs: dict[str, FlatConfig]
    records: dict[str, Record]
    poems: dict[str, str]  # text of poems.txt
    commands: list[SweepCommand]
    unreadable: list[UnreadableFile]


def collect(folders: Sequence[Path]) -> SweepData:
    """Read every run in the folders of sweeps; a subfolder that is no run is ignored."""
    reader = RunFileReader()
    data = SweepData(pd.DataFrame(), pd.DataFrame(), {}, {}, {}, {}, [], reader.unreadable)
    rows, epochs = [], []
    for sweep, prefix in _run_name_prefixes(folders).items():
        data.commands.extend(reader.commands(sweep))
        run_folders = _run_folders(sweep, reader)
        if not run_folders:
            reader.add_unreadable(sweep, "it holds no run")
        for folder in run_folders:
            run = f"{prefix}/{folder.path.name}" if prefix else folder.path.name
            data.folders[run] = folder
            rows.append(_read_run(run, sweep, folder, data, reader))
            epochs.append(reader.epochs(run, folder, data.records.get(run)))
    runs = pd.DataFrame(rows, columns=list(RUN_COLUMNS))
    runs["group"] = runs["run"].map(group_names(data.configs, data.records))
    return data._replace(runs=runs, epochs=_epochs_table(epochs, runs))


def _run_name_prefixes(folders: Sequence[Path]) -> dict[Path, str]:
    """Return each folder once, with as much of the end of its path as distinguishes it from the others."""
    unique = list(dict.fromkeys(folders))
    if len(unique) == 1:
        return {unique[0]: ""}
    depth = 1
    while len({path.parts[-depth:] for path in unique}) < len(unique):
        depth += 1
    return {path: "/".join(path.parts[-depth:]) for path in unique}


def _run_folders(sweep: Path, reader: RunFileReader) -> list[RunFolder]:
    """Return the folders with a config or a record; other folders with a run's files are listed as unreadable."""
    runs = []
    for path in sorted(sweep.iterdir()):
        folder = RunFolder(path)
        if not path.is_dir() or folder.replaced:
            continue
        if folder.config.exists() or folder.result.exists():
            runs.append(folder)
        elif folder.metrics.exists() or folder.poems.exists() or folder.log.exists():
            reader.add_unreadable(path, "a run's folder without config.yaml and result.json")
    return runs


def _read_run(
    run: str, sweep: Path, folder: RunFolder, data: SweepData, reader: RunFileReader
) -> dict[str, TableValue | ConfigValue]:
    """Add a run's config, record and poems to `data`; return its row of the table `runs`."""
    data.configs[run] = config = reader.config(folder)
    record = reader.record(folder)
    if poems := reader.poems(folder):
        data.poems[run] = poems
    where = {"run": run, "sweep": sweep.name, "folder": folder.path.name}
    if record is None:
        state = run_state(folder).value
        return {**where, "overrides": None, "status": state, "seed": config.get("seed"),
                "metric": config.get("corpus.primary.metric"), "mode": config.get("corpus.primary.mode"),
                "corpus": config.get("corpus.name"), "length": config.get("corpus.length")}  # fmt: skip
    data.records[run] = record
    return {**where, "overrides": " ".join(record.overrides or []), **record_row(record)}


def _epochs_table(epochs: list[pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
    """Return all runs' epochs with group, seed and the number of characters trained on until then."""
    tables = [table for table in epochs if len(table)] or [pd.DataFrame(columns=["run", *EPOCH_COLUMNS])]
    table = pd.concat(tables, ignore_index=True)
    table = table.join(runs.set_index("run")[["group", "seed", "train_characters"]], on="run")
    table["characters"] = table["epoch"] * table["train_characters"]
    columns = ["run", "group", "seed", *EPOCH_COLUMNS, "characters"]
    return table[columns].sort_values(["run", "epoch"], ignore_index=True)
