"""The files of one sweep or several, as tables. Nothing is changed, and nothing unread is left unsaid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tangsweep.report.data import run_table
from tangsweep.report.data.groups import grouped
from tangsweep.report.data.run_files import EPOCHS, Reader, Unread
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import run_state

RUN_COLUMNS = ("run", "sweep", "folder", "group", "overrides", *run_table.RECORD_FIELDS)


class Collected(NamedTuple):
    """`runs` has a row a run, `epochs` a row a run and evaluated epoch, untrained (epoch 0) first."""

    runs: pd.DataFrame
    epochs: pd.DataFrame
    folders: dict[str, RunFolder]  # run → where it lies
    configs: dict[str, dict[str, Any]]  # run → its flat config
    results: dict[str, dict[str, Any]]  # run → its record
    poems: dict[str, str]  # run → poems.txt
    commands: list[dict[str, Any]]
    unread: list[Unread]


def collect(folders: Sequence[Path]) -> Collected:
    """Everything that lies in the folders of sweeps; a folder that is no run is left alone."""
    reader = Reader()
    found = Collected(pd.DataFrame(), pd.DataFrame(), {}, {}, {}, {}, [], reader.unread)
    rows, epochs = [], []
    for sweep, told in _labels(folders).items():
        found.commands.extend(reader.commands(sweep))
        folders_of = _runs(sweep, reader)
        if not folders_of:
            reader.note(sweep, "it holds no run")
        for folder in folders_of:
            name = f"{told}/{folder.path.name}" if told else folder.path.name
            found.folders[name] = folder
            rows.append(_run(name, sweep, folder, found, reader))
            epochs.append(reader.epochs(name, folder, found.results.get(name)))
    runs = pd.DataFrame(rows, columns=list(RUN_COLUMNS))
    runs["group"] = runs["run"].map(grouped(found.configs, found.results))
    return found._replace(runs=runs, epochs=_together(epochs, runs))


def _labels(folders: Sequence[Path]) -> dict[Path, str]:
    """Each folder once, with what its runs' names begin with: as much of its path as tells it apart."""
    unique = list(dict.fromkeys(folders))
    if len(unique) == 1:
        return {unique[0]: ""}
    depth = 1
    while len({path.parts[-depth:] for path in unique}) < len(unique):
        depth += 1
    return {path: "/".join(path.parts[-depth:]) for path in unique}


def _runs(sweep: Path, reader: Reader) -> list[RunFolder]:
    """Folders with a config or a record; what has neither but was a run is noted."""
    runs = []
    for path in sorted(sweep.iterdir()):
        folder = RunFolder(path)
        if not path.is_dir() or folder.replaced:
            continue
        if folder.config.exists() or folder.result.exists():
            runs.append(folder)
        elif folder.metrics.exists() or folder.poems.exists() or folder.log.exists():
            reader.note(path, "a run's folder without config.yaml and result.json")
    return runs


def _run(name: str, sweep: Path, folder: RunFolder, found: Collected, reader: Reader) -> dict[str, Any]:
    found.configs[name] = config = reader.config(folder)
    result = reader.result(folder)
    if poems := reader.poems(folder):
        found.poems[name] = poems
    told = {"run": name, "sweep": sweep.name, "folder": folder.path.name}
    if result is None:
        state = run_state(folder).value
        return {**told, "overrides": None, "status": state, "seed": config.get("seed"),
                "metric": config.get("corpus.primary.metric"), "mode": config.get("corpus.primary.mode"),
                "corpus": config.get("corpus.name"), "length": config.get("corpus.length")}  # fmt: skip
    found.results[name] = result
    return {**told, "overrides": " ".join(run_table.overridden(result)), **run_table.row(result)}


def _together(epochs: list[pd.DataFrame], runs: pd.DataFrame) -> pd.DataFrame:
    """All runs' epochs with their group and seed, and how many characters were trained on until then."""
    whole = pd.concat(
        [e for e in epochs if len(e)] or [pd.DataFrame(columns=["run", *EPOCHS])], ignore_index=True
    )
    told = runs.set_index("run")[["group", "seed", "train_characters"]]
    whole = whole.join(told, on="run")
    whole["characters"] = whole["epoch"] * whole["train_characters"]
    ordered = ["run", "group", "seed", *EPOCHS, "characters"]
    return whole[ordered].sort_values(["run", "epoch"], ignore_index=True)
