"""Part of `benchmarks/faults.py`: W&B's own process is killed at a random moment of a run, or stopped.

The run must be done, with the record and rows of an undisturbed run, and leave one offline file with all
rows.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from kills import REPOSITORY, Tally, children, command_line, differences
from observed_runs import Observed, call, import_everything, in_process, observed_by

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.training import wandb_mirror

sys.path.insert(0, str(REPOSITORY))
from tests.training import wandb_file

COMMAND = (
    "train optimizer=adam corpus=sample data.poems=24 data.batch_size=2 model.hidden_size=8 "
    "model.embed_size=8 trainer.max_epochs=10 trainer.log_every=2 poems.starts='山' poems.quality=false "
    "logger=wandb"
)
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
GRACE_SECONDS = 3.0  # in the place of a minute
MOST_ATTEMPTS = 4  # to meet a run before its end
LOST = {"lost_mirrors"}  # the only field of the record that may differ


def train(home: Path) -> Observed:
    os.environ["TANGSWEEP_HOME"] = str(home)
    wandb_mirror.GRACE_SECONDS = GRACE_SECONDS
    os.chdir(home)
    status, printed = call(COMMAND)
    wandb_mirror.end_lost_service()
    return {"status": status, "printed": printed}


def train_and_disturb(home: Path, number: int | None, seconds: float) -> tuple[Observed, bool, float]:
    """Train a run; send its W&B process the signal `number` at a random moment of its life of `seconds`.

    Returns what was observed, whether there was such a process, and how long it lived.
    """
    home.mkdir()
    if (home.parent / "first" / "data").exists():
        shutil.copytree(home.parent / "first" / "data", home / "data")
    out = home / "observed.json"
    pid, started, sent = in_process(lambda: train(home), out), 0.0, False
    moment = random.uniform(0, seconds)
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        services = [child for child in children(pid) if "wandb-core" in command_line(child)]
        started = started or (time.monotonic() if services else 0.0)
        if services and number is not None and not sent and time.monotonic() - started >= moment:
            os.kill(services[0], number)
            sent = True
        time.sleep(0.005)
    return observed_by(pid, out), sent, time.monotonic() - started


def left_by_run(home: Path) -> dict[str, Any]:
    """Return the record without the mirror, and the rows; `mirrored` are those in W&B's file."""
    [result] = home.glob("outputs/single/*/result.json")
    folder = RunFolder(result.parent)
    record = json.loads(folder.result.read_text(encoding="utf-8"))
    rows = MetricsFile(folder.metrics).rows()
    offline = wandb_file.read(folder.path)
    logged = [json.loads(row["val/loss"]) for row in offline.history if "val/loss" in row]
    return {
        "record": {key: value for key, value in record.items() if key not in LOST},
        "rows": rows,
        "mirrored": logged == [row["val/loss"] for row in rows if "val/loss" in row],
        "ended": offline.exit_codes == [0],
    }


def try_dead_mirrors(folder: Path, count: int) -> tuple[Tally, list[str]]:
    """Kill W&B's process in `count` runs; return the tally, and what did not hold."""
    import_everything()
    tally, problems = Tally(), list[str]()
    train_and_disturb(folder / "first", None, 0)  # compiles
    _, _, seconds = train_and_disturb(folder / "undisturbed", None, 0)
    expected = left_by_run(folder / "undisturbed")
    for number in range(count):
        name = list(SIGNALS)[number % 5 == 4]  # every fifth is stopped
        for attempt in range(MOST_ATTEMPTS):
            home = folder / f"mirror-{number}-{attempt}"
            observed, sent, _ = train_and_disturb(home, SIGNALS[name], 0.9 * seconds)
            if sent:
                break
        found = [str(observed)] if observed.get("status") != 0 or "Traceback" in str(observed) else []
        found = found or differences(expected, left_by_run(home))
        counts = tally.setdefault(f"W&B's process, {name}", Counter())
        counts.update(tried=1, held=int(not found))
        problems += [f"mirror {number}, {name}: {found}"] if found else []
        print(f"mirror {number + 1}, {name}: {found or 'held'}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
    return tally, problems
