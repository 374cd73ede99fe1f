"""The files of one sweep or several, as tables. Nothing is changed, and nothing unread is left unsaid."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from tangsweep.report import record_row
from tangsweep.report.groups import grouped
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.identity import flat
from tangsweep.runs.state import State, of

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
RUN_COLUMNS = ("run", "sweep", "folder", "group", "overrides", *record_row.PLACES)


class Unread(NamedTuple):
    """A file that could not be read, whole or in part, and why."""

    path: str
    why: str


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
    found = Collected(pd.DataFrame(), pd.DataFrame(), {}, {}, {}, {}, [], [])
    rows, epochs = [], []
    for sweep, told in _labels(folders).items():
        found.commands.extend(_commands(sweep, found.unread))
        for path in sorted(sweep.iterdir()):
            folder = RunFolder(path)
            if not path.is_dir() or folder.replaced or not (folder.config.exists() or folder.result.exists()):
                continue
            name = f"{told}/{path.name}" if told else path.name
            found.folders[name] = folder
            rows.append(_run(name, sweep, folder, found))
            epochs.append(_epochs(name, folder, found.unread))
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


def _run(name: str, sweep: Path, folder: RunFolder, found: Collected) -> dict[str, Any]:
    found.configs[name] = config = _config(folder, found.unread)
    result = _result(folder, found.unread)
    if folder.poems.exists():
        found.poems[name] = folder.poems.read_text(encoding="utf-8", errors="replace")
    told = {"run": name, "sweep": sweep.name, "folder": folder.path.name}
    if result is None:
        state = of(folder).value
        return {**told, "overrides": None, "status": state, "seed": config.get("seed"),
                "metric": config.get("corpus.primary.metric"), "mode": config.get("corpus.primary.mode"),
                "corpus": config.get("corpus.name"), "length": config.get("corpus.length")}  # fmt: skip
    found.results[name] = result
    return {**told, "overrides": " ".join(record_row.overridden(result)), **record_row.row(result)}


def _config(folder: RunFolder, unread: list[Unread]) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        return dict(flat(loaded))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        unread.append(Unread(str(folder.config), f"no config: {type(error).__name__}"))
        return {}


def _result(folder: RunFolder, unread: list[Unread]) -> dict[str, Any] | None:
    """The record; None where there is none. One that is cut off, or of another program, is named."""
    if not folder.result.exists():
        return None
    try:
        result = json.loads(folder.result.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        unread.append(Unread(str(folder.result), f"no JSON: {type(error).__name__}"))
        return None
    known = isinstance(result, dict) and isinstance(result.get("primary"), dict)
    if not known or result.get("status") not in set(State):
        unread.append(Unread(str(folder.result), "no record of this project"))
        return None
    return result


def _epochs(name: str, folder: RunFolder, unread: list[Unread]) -> pd.DataFrame:
    """The evaluated rows of metrics.csv, those with an infinite loss as well."""
    empty = pd.DataFrame(columns=["run", *EPOCHS])
    if not folder.metrics.exists():
        return empty
    try:
        content = folder.metrics.read_bytes()
        read = pd.read_csv(io.BytesIO(content), on_bad_lines="skip", low_memory=False)
        evaluated = read[pd.to_numeric(read["val/loss"], errors="coerce").notna()]
    except (OSError, ValueError, KeyError) as error:
        unread.append(Unread(str(folder.metrics), f"no metrics: {type(error).__name__}"))
        return empty
    if not content.endswith(b"\n"):
        unread.append(Unread(str(folder.metrics), "its last line is cut off"))
    numbers = evaluated.reindex(columns=list(EPOCHS.values())).apply(pd.to_numeric, errors="coerce")
    numbers = numbers.set_axis(list(EPOCHS), axis=1).dropna(subset=["epoch", "step"])
    return numbers.drop_duplicates("epoch", keep="last").assign(run=name)


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


def _commands(sweep: Path, unread: list[Unread]) -> list[dict[str, Any]]:
    path = sweep / "commands.jsonl"
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            arguments = [str(argument) for argument in json.loads(line)["arguments"]]
            found.append({"sweep": sweep.name, "arguments": arguments})
        except (ValueError, TypeError, KeyError):
            unread.append(Unread(f"{path}, line {number}", "no JSON"))
    return found
