"""commands.jsonl: one line for every command that trained runs of a sweep; lines are only appended."""

import json
import sys
import time
from pathlib import Path

from tangsweep.files import cannot_write
from tangsweep.runs import provenance


def log_command(sweep: Path, runs: int, trained: int) -> None:
    """Append the time, the arguments, the commit, and how many runs the command names and trains.

    Raises UserError where the folder cannot be written.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": sys.argv[1:],
        "git": provenance.git_state().model_dump(),
        "runs": runs,
        "trained": trained,
    }
    path = sweep / "commands.jsonl"
    try:
        sweep.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error
