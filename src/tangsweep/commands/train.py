"""The command `src/train.py`, or `tangsweep train`: one run, or many with -m or sweeps=NAME.

Only what composes the config is imported here; torch and the rest come when a run starts.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tangsweep.command_line import os_error_line, print_error, user_errors
from tangsweep.errors import UserError
from tangsweep.files import CONFIG_FOLDER
from tangsweep.sweep import hydra_adapter

WITHOUT_POOL = (  # beginnings of arguments with which a sweep trains elsewhere, or nothing
    "hydra.mode=RUN", "hydra/launcher=", "hydra.launcher.", "plan=true", "wandb_sweep=", "rerun=none",
    "-c", "--cfg", "-h", "--help",
)  # fmt: skip


def main() -> None:
    if os.environ.get("WANDB_SWEEP_ID"):
        from tangsweep.sweep.wandb_sweeps import agent_arguments

        sys.argv[1:] = agent_arguments(sys.argv[1:])
    hydra_adapter.check_arguments(sys.argv[1:])
    if _trains_on_pool(sys.argv[1:]):
        from tangsweep.sweep import worker_process

        worker_process.process_context(worker_process.PRELOAD)  # imports for 2.5 s, Hydra composes meanwhile
    compose_and_train()


def _trains_on_pool(arguments: Sequence[str]) -> bool:
    """Guess whether a command trains on the pool; the launcher decides. A server that nobody needs is
    killed when the command ends.
    """
    is_sweep = {"-m", "--multirun"} & set(arguments) or any(a.startswith("sweeps=") for a in arguments)
    return bool(is_sweep) and not any(argument.startswith(WITHOUT_POOL) for argument in arguments)


@hydra.main(version_base="1.3", config_path=str(CONFIG_FOLDER), config_name="train")
def compose_and_train(composed: DictConfig) -> Any:
    """Call `train_composed`; a user's mistake ends the process here, as Hydra would add lines of its own."""
    is_job = HydraConfig.get().mode is RunMode.MULTIRUN  # whose other errors are a failure of this run alone
    try:
        with nullcontext() if is_job else user_errors():
            return train_composed(composed)
    except UserError as error:
        raise SystemExit(print_error(str(error))) from None
    except OSError as error:
        if is_job:
            raise
        raise SystemExit(print_error(os_error_line(error))) from None


def train_composed(composed: DictConfig) -> Any:
    """Train one job of a sweep and return its outcome, or a single run as a sweep of one."""
    from tangsweep.runs.wandb_names import wandb_sweep_id
    from tangsweep.training.job import train_job

    values: Any = OmegaConf.to_container(composed, resolve=True)
    overrides = list(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode is RunMode.MULTIRUN:  # the sweeper has checked all jobs; this is one of them
        return train_job(values, overrides)
    from tangsweep.sweep.jobs import Job, last_of_each_key
    from tangsweep.sweep.run_sweep import ThisProcess, run_sweep

    name = HydraConfig.get().runtime.choices.get("sweeps")
    if name is not None and wandb_sweep_id() is None:
        raise UserError(f"sweeps={name} is a sweep, not one run: add -m, and leave out hydra.mode=RUN")
    return run_sweep([Job(last_of_each_key(overrides), values)], ThisProcess(), compared=False)
