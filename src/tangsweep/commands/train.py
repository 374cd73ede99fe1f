"""The command `src/train.py`, or `tangsweep train`: one run, or many with -m or sweeps=NAME.

Only what composes the config is imported here; torch and the rest come when a run starts.
"""

from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tangsweep.command_line import print_error
from tangsweep.errors import UserError
from tangsweep.files import CONFIG_FOLDER


@hydra.main(version_base="1.3", config_path=str(CONFIG_FOLDER), config_name="train")
def main(composed: DictConfig) -> Any:
    try:
        return train_composed(composed)
    except UserError as error:
        raise SystemExit(print_error(str(error))) from None  # Hydra would add lines of its own


def train_composed(composed: DictConfig) -> Any:
    """Train one job of a sweep and return its outcome, or a single run as a sweep of one."""
    from tangsweep.training.job import train_job

    values: Any = OmegaConf.to_container(composed, resolve=True)
    overrides = list(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode is RunMode.MULTIRUN:  # the sweeper has checked all jobs; this is one of them
        return train_job(values, overrides)
    from tangsweep.sweep.jobs import Job
    from tangsweep.sweep.run_sweep import ThisProcess, run_sweep

    return run_sweep([Job(overrides, values)], ThisProcess(), compared=False)
