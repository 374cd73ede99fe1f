"""Where files lie: the only module that knows the repository and TANGSWEEP_HOME."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLED_SAMPLE = REPOSITORY / "data" / "sample"


def home() -> Path:
    """The folder that relative paths are anchored at: TANGSWEEP_HOME, else the repository."""
    return Path(os.environ.get("TANGSWEEP_HOME") or REPOSITORY).expanduser().resolve()


def anchored(path: str | Path) -> Path:
    """An absolute path; a relative one counts from `home()`, never from the working directory."""
    return home() / Path(path).expanduser()


def typed(path: str) -> Path:
    """What a user named: as typed from the working directory where that exists, else `anchored`."""
    literal = Path(path).expanduser()
    return literal if literal.exists() else anchored(path)


def data() -> Path:
    """Downloaded corpora and the cache of encoded ones."""
    return anchored("data")


def outputs() -> Path:
    """One folder a sweep, one folder a run in it."""
    return anchored("outputs")


def shown(path: Path) -> str:
    """The path as messages show it: relative to the working directory where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
