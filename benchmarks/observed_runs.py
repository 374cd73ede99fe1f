"""Part of `benchmarks/faults.py`: what a user sees of two runs, before and after the same command again."""

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from kills import TIMED

from tangsweep.checkpoint import DamagedCheckpoint, read_checkpoint
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile

COMMAND = (
    "train -m optimizer=sgd,adam corpus=sample data.poems=24 data.batch_size=4 model.hidden_size=8 "
    "model.embed_size=8 trainer.max_epochs=3 trainer.log_every=2 poems.starts='山' poems.quality=false "
    "report=false sweep.name=x hydra/launcher=basic logger="
)
SECONDS = 120  # until a process counts as hanging
MEASURED = (
    "seconds",
    "_ms",
    "per_second",
    "finished",
    "wandb",
    "bytes",
    "commit",
)  # in names of columns; they always differ
Observed = dict[str, Any]


def in_process(action: Callable[[], Observed], out: Path) -> int:
    """Start a process that writes what `action` returns to `out`, as JSON; return its pid."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(SECONDS)
        try:
            observed = action()
        except BaseException:
            observed = {"crash": traceback.format_exc()}
        out.write_text(json.dumps(observed), encoding="utf-8")
        sys.stdout.flush()
        os._exit(0)
    return pid


def observed_by(pid: int, out: Path) -> Observed:
    """Wait for a process, and return what it has observed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    observed: Observed = {"crash": f"it ended with {status}"}
    if status == 0:
        observed = json.loads(out.read_text(encoding="utf-8"))
    return observed


def call(line: str) -> tuple[int, str]:
    """Run a command line in this process; return its status and all that it printed."""
    from tangsweep.__main__ import main

    sys.argv = ["tangsweep", *line.split()]
    os.environ["HYDRA_FULL_ERROR"] = "0"  # the command sets it, and then errors keep their tracebacks
    printed, status = io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main()
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    return status, printed.getvalue()


def look(home: Path) -> Observed:
    """Return the report's tables and what it names, and a poem of each run or why there is none.

    The whole page is made by the command itself.
    """
    from tangsweep.prosody.tables import cached_prosody
    from tangsweep.reporting.build import rank_comparable_runs, read_sweeps
    from tangsweep.reporting.text.tables import run_tables

    prosody = cached_prosody()
    data = read_sweeps([home / "outputs" / "x"])
    tables = run_tables(data, rank_comparable_runs(data))
    runs = sorted(
        path.parent for path in home.glob("outputs/x/*/checkpoints") if ".replaced-" not in str(path)
    )
    return {
        "tables": {name: rows_of(table) for name, table in tables.items()},
        "named": [f"{file.path}: {file.reason}" for file in data.unreadable],
        "poems": [call(f"generate {run} --start 山 --chars 5 --seed 1") for run in runs],
        "tones": [prosody.source, *(prosody.tone(character) for character in "山月看白")],
    }


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as plain values, without columns of times."""
    kept = [name for name in table if not any(word in str(name) for word in MEASURED)]
    rows: list[dict[str, Any]] = json.loads(table[kept].to_json(orient="records", double_precision=15))
    return rows


def observe(home: Path, mirror: str = "csv") -> Observed:
    import wandb

    os.environ["TANGSWEEP_HOME"] = str(home)
    os.chdir(home)
    before = look(home)
    status, printed = call(COMMAND + mirror)
    wandb.teardown()
    after, left = look(home), left_by_runs(home)
    return {"before": before, "status": status, "printed": printed, "after": after, "left": left}


def left_by_runs(home: Path) -> Observed:
    """Return what the runs hold: values, or `refused` where reading says that a file was changed."""
    left: Observed = {}
    for path in sorted(home.glob("outputs/x/optimizer-*/config.yaml")):
        folder = RunFolder(path.parent)
        if folder.replaced:
            continue
        weights = {}
        for checkpoint in (folder.best, folder.last):
            try:
                state = read_checkpoint(checkpoint)["state_dict"]
                weights[checkpoint.name] = {name: value.tolist() for name, value in state.items()}
            except DamagedCheckpoint:
                weights[checkpoint.name] = "refused"
        rows = [
            {k: v for k, v in row.items() if k not in TIMED} for row in MetricsFile(folder.metrics).rows()
        ]
        left[folder.path.name] = {
            "weights": weights,
            "rows": rows,
            "poems": folder.poems.read_text("utf-8", "replace"),
        }
    return left


def import_everything() -> None:
    """Import what the processes need before they are forked; nothing is computed here."""
    import altair  # noqa: F401
    import pytorch_lightning  # noqa: F401
    import scipy.stats  # noqa: F401
    import wandb  # noqa: F401

    import tangsweep.commands.generate
    import tangsweep.commands.train
    import tangsweep.reporting.build
    import tangsweep.sweep.preload
    import tangsweep.training.run  # noqa: F401
