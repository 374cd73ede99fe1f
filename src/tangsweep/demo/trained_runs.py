"""The trained models that the page offers: the bundled one, and runs of poems under outputs/."""

from functools import cache, lru_cache
from pathlib import Path

from tangsweep.bundled_model import bundled_run
from tangsweep.checkpoint import TrainedModel, load_model
from tangsweep.console import format_number, print_line
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_MODEL, outputs_folder
from tangsweep.runs.config_file import read_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Quality
from tangsweep.runs.record_file import read_record

MODELS_IN_MEMORY = 2
BUNDLED = "bundled"  # the bundled model's name; runs are called `sweep/run`


def offered_runs() -> dict[str, str]:
    """Return `sweep/run` → its label on the page: the bundled model, then runs, the newest first.

    A bundled model that is damaged is not offered, and the terminal says so once.
    """
    paths = (path.parent.parent for path in outputs_folder().glob("*/*/checkpoints/best.ckpt"))
    offered = [folder for folder in map(RunFolder, paths) if _is_offered(folder)]
    offered.sort(key=lambda folder: folder.best.stat().st_mtime, reverse=True)
    return _offered_bundled() | {_run_name(f.path): _label(_run_name(f.path), f) for f in offered}


def _offered_bundled() -> dict[str, str]:
    try:
        return {BUNDLED: _label("the bundled model", bundled_run())}
    except UserError as error:
        _say_once(str(error))
        return {}


def offered_run_folder(name: str) -> RunFolder:
    """Return the folder of an offered run. Raises UserError for any other name that a browser may send."""
    if name not in offered_runs():
        raise UserError("this run is not, or no longer, under outputs/: choose another")
    return RunFolder(BUNDLED_MODEL) if name == BUNDLED else RunFolder(outputs_folder() / name)


def cached_model(folder: RunFolder) -> TrainedModel:
    """Return the run's model, which is loaded again only after its checkpoint has changed."""
    return _load_model(folder.path, folder.best.stat().st_mtime_ns)


@lru_cache(maxsize=MODELS_IN_MEMORY)
def _load_model(path: Path, modified_ns: int) -> TrainedModel:
    return load_model(path)


def run_quality(folder: RunFolder) -> Quality | None:
    """Return the quality of a run's poems from its record."""
    record = read_record(folder)
    return record.quality if record else None


def _run_name(path: Path) -> str:
    return path.relative_to(outputs_folder()).as_posix()


def _label(name: str, folder: RunFolder) -> str:
    record = read_record(folder)
    perplexity = record.dev.perplexity if record and record.dev else None
    return f"{name} (dev ppl {format_number(perplexity)})" if perplexity else name


def _is_offered(folder: RunFolder) -> bool:
    """Return whether a run is one of poems, was not replaced, and does not lie outside by a symbolic link.

    A run whose config cannot be read is not offered, and the terminal says so once.
    """
    try:
        _run_name(folder.path).encode()  # no other name can be sent to a browser
        inside = folder.best.resolve().is_relative_to(outputs_folder().resolve())
        if not inside or folder.replaced:
            return False
        # Without a config it is a checkpoint of Lightning's own trainer, which somebody has put there.
        config = read_config(folder) if folder.config.exists() else cached_model(folder).config
        return bool(config["corpus"]["task"] == "poems")
    except UserError as error:
        _say_once(str(error))
    except Exception as error:  # of a file that is no config: the other runs are offered all the same
        _say_once(
            f"{folder.config} is no config ({type(error).__name__}): its run is left out, train it anew"
        )
    return False


@cache
def _say_once(line: str) -> None:
    print_line(line)
