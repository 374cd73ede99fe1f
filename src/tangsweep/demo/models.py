"""The trained models that the page offers: runs of poems under outputs/, and nothing else."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tangsweep.checkpoint import TrainedModel, load_model
from tangsweep.console import format_number
from tangsweep.errors import UserError
from tangsweep.files import outputs_folder
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import read_result

KEPT = 2  # models in memory


def offered() -> dict[str, str]:
    """`sweep/run` → what the page calls it, the newest first."""
    found = sorted(
        (path.parent.parent for path in outputs_folder().glob("*/*/checkpoints/best.ckpt")),
        key=lambda path: RunFolder(path).best.stat().st_mtime,
        reverse=True,
    )
    return {_key(path): _label(path) for path in found if _of_poems(RunFolder(path))}


def chosen(key: str) -> RunFolder:
    """The folder of a run that is offered. Raises UserError for anything else a browser may send."""
    if key not in offered():
        raise UserError("this run is not, or no longer, under outputs/: choose another")
    return RunFolder(outputs_folder() / key)


def model(folder: RunFolder) -> TrainedModel:
    """Loaded once, and again where its checkpoint has changed."""
    return _load(folder.path, folder.best.stat().st_mtime_ns)


def quality(folder: RunFolder) -> dict[str, Any] | None:
    """What the run's record says of its poems."""
    return (read_result(folder) or {}).get("quality")


@lru_cache(maxsize=KEPT)
def _load(path: Path, changed: int) -> TrainedModel:
    return load_model(path)


def _key(path: Path) -> str:
    return path.relative_to(outputs_folder()).as_posix()


def _label(path: Path) -> str:
    dev = (read_result(RunFolder(path)) or {}).get("dev") or {}
    perplexity = dev.get("perplexity")
    return f"{_key(path)} (dev ppl {format_number(perplexity)})" if perplexity else _key(path)


def _of_poems(folder: RunFolder) -> bool:
    """Whether it lies under outputs/ for real, was not replaced, and is a model of poems."""
    inside = folder.best.resolve().is_relative_to(outputs_folder().resolve())
    if not inside or folder.replaced:
        return False
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        return bool(config["corpus"]["task"] == "poems")
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return False
