"""A run that an agent of a W&B sweep starts.

`wandb agent` starts the command once for each run, with the parameters as overrides, and tells W&B's id of
the sweep and of the run in the environment. It wants to see a score of every run: also of one that was
trained before, and of one that diverged (runs/wandb_names.py).
"""

import os
from collections.abc import Sequence

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.record import Record
from tangsweep.runs.wandb_names import OWN_KEYS, wandb_sweep_id
from tangsweep.training.prepare import PreparedRun


def agent_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the command line of a run that an agent starts; without an agent, `arguments` as they are.

    The run lies in outputs/wandb-ID/ and goes online, unless the arguments or WANDB_MODE say otherwise. A
    sweep file gives its values to this one run. A run that W&B restarts gets its whole config back as
    arguments (https://github.com/wandb/wandb/issues/9143); keys that only W&B has are left out, and Python's
    None is written as Hydra does.
    """
    sweep = wandb_sweep_id()
    if sweep is None:
        return list(arguments)
    written = [_written(argument) for argument in arguments if argument.partition("=")[0] not in OWN_KEYS]
    keys = {argument.lstrip("+").partition("=")[0] for argument in written}
    added = []
    if "sweep.name" not in keys:
        added.append(f"sweep.name=wandb-{sweep}")
    if not os.environ.get("WANDB_MODE") and not keys & {"logger.mode", "logger"}:
        added.append("logger.mode=online")
    if "sweeps" in keys and "hydra.mode" not in keys:
        added.append("hydra.mode=RUN")
    return [*written, *added]


def _written(argument: str) -> str:
    key, equals, value = argument.partition("=")
    return f"{key}=null" if equals and value == "None" else argument


def replay_finished_run(run: PreparedRun, record: Record) -> None:
    """Give the history and the scores of a run that ended before to the run that the agent wants to see."""
    from tangsweep.training.assemble import build_mirrors  # torch and Lightning: seconds

    folder = RunFolder(run.folder)
    mirrors = build_mirrors(run, folder)
    try:
        mirrors.replay(MetricsFile(folder.metrics).rows())
        mirrors.summarize(record)
    finally:
        mirrors.finish(record.status == "failed")
