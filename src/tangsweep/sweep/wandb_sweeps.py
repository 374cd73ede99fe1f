"""Sweeps of W&B: files with the space of a search, and the runs that an agent of such a sweep starts.

`wandb sweep FILE` makes a sweep (https://docs.wandb.ai/guides/sweeps/define-sweep-configuration describes
the file). `wandb agent` then starts the command once for each run, with the parameters as overrides, and
tells W&B's id of the sweep and of the run in the environment. It wants to see a score of every run: also of
one that was trained before, and of one that diverged (runs/wandb_names.py).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from tangsweep.config.identity import slug
from tangsweep.config.run_config import AnyConfig
from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, display_path, user_path
from tangsweep.metrics import METRICS
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import MetricsFile
from tangsweep.runs.record import Record
from tangsweep.runs.wandb_names import OWN_KEYS, wandb_sweep_id
from tangsweep.sweep.search_space import Branch, Parameter, Range, Space
from tangsweep.training.prepare import PreparedRun

OF_THE_COMMAND = ("sweeps=", "wandb_sweep=", "search.", "confirm.", "sweep.", "hydra", "rerun=", "report=")
METHODS = {"tpe": "bayes", "gp": "bayes", "random": "random", "qmc": "random"}  # of W&B, by our sampler


def write_wandb_sweeps(folder: str, space: Space, config: AnyConfig, sweep_file: str | None) -> None:
    """Write a file for every branch of the space: W&B knows no parameters that depend on others.

    `config` is that of any run. Raises UserError where the folder exists, or a branch has nothing to tune.
    """
    path = user_path(folder)
    if path.exists():
        raise UserError(f"wandb_sweep={folder} exists: name a new folder for the files of the W&B sweeps")
    branches = [branch for arm in space for branch in arm.branches]
    if fixed := next((branch.fixed for branch in branches if not branch.parameters), None):
        raise UserError(f"{' '.join(fixed)} has nothing to tune: a W&B sweep needs a parameter")
    shared = [text for text in branches[0].fixed if all(text in branch.fixed for branch in branches)]
    path.mkdir(parents=True)
    for branch in branches:
        own = [text for text in branch.fixed if text not in shared]
        definition = sweep_definition(Branch(tuple(own), branch.parameters), shared, config, sweep_file)
        text = yaml.safe_dump(definition, sort_keys=False, allow_unicode=True)
        atomic_write(path / f"{slug(own) if own else 'sweep'}.yaml", text)
    _print_next_steps(path, len(branches))


def sweep_definition(
    branch: Branch, shared: Sequence[str], config: AnyConfig, sweep_file: str | None
) -> dict[str, object]:
    """Return the W&B sweep of a branch; `shared` overrides, and the sweep file, hold for all branches."""
    metric = METRICS[config.corpus.primary.metric]
    fixed = dict(text.lstrip("+~").split("=", 1) for text in branch.fixed)
    parameters = {key: {"value": yaml.safe_load(value)} for key, value in fixed.items()}
    parameters |= {parameter.key: _parameter(parameter) for parameter in branch.parameters}
    for_all = [text for text in shared if not text.lstrip("+~").startswith(OF_THE_COMMAND)]
    chosen = [*([f"sweeps={sweep_file}"] if sweep_file else []), *for_all]
    return {
        "name": " ".join([*([sweep_file] if sweep_file else []), *branch.fixed]),
        "program": "src/train.py",
        "method": METHODS[config.search.sampler],
        "metric": {
            "name": f"val/{metric.name}",
            "goal": "minimize" if metric.lower_is_better else "maximize",
        },
        "run_cap": config.search.trials,
        "parameters": parameters,
        "command": ["${env}", "${interpreter}", "${program}", *chosen, "${args_no_hyphens}"],
    }


def _parameter(parameter: Parameter) -> dict[str, object]:
    if not isinstance(parameter, Range):
        return {"values": [_yaml_value(value) for value in parameter.values]}
    if parameter.step is not None:
        count = round((parameter.high - parameter.low) / parameter.step) + 1
        values = [parameter.text(parameter.low + parameter.step * number) for number in range(count)]
        return {"values": [yaml.safe_load(value) for value in values]}
    if parameter.whole:
        kind = "q_log_uniform_values" if parameter.log else "int_uniform"
        return {"distribution": kind, "min": int(parameter.low), "max": int(parameter.high)}
    kind = "log_uniform_values" if parameter.log else "uniform"
    return {"distribution": kind, "min": parameter.low, "max": parameter.high}


def _yaml_value(value: str) -> object:
    """Return a value as YAML has it; a list stays text, which the command line takes as it is."""
    plain = yaml.safe_load(value)
    return value if isinstance(plain, list | dict) else plain


def _print_next_steps(folder: Path, count: int) -> None:
    print_line(f"{count} W&B sweeps lie in {display_path(folder)}; nothing was trained. For each:")
    print_line(f"  wandb sweep --project tangsweep {display_path(folder)}/FILE")
    print_line("and on every machine, in this folder, what that prints: wandb agent ENTITY/PROJECT/ID")


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
