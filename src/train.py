"""Train one run, or many with -m or sweeps=NAME; `python src/train.py --help` shows how.

Only what composes the configuration is imported here; torch and the rest come when a run starts.
"""

from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tangsweep import places
from tangsweep.command_line import reported

OmegaConf.register_new_resolver("tangsweep.outputs", lambda: str(places.outputs()), replace=True)


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(composed: DictConfig) -> dict[str, Any]:
    """One run, alone or as a job of a sweep; returns its record."""
    from tangsweep.console import say, summary
    from tangsweep.training.prepare import prepare, report_found

    hydra_config = HydraConfig.get()
    config: Any = OmegaConf.to_container(composed, resolve=True)
    prepared = prepare(config, list(hydra_config.overrides.task))
    alone = hydra_config.mode is not RunMode.MULTIRUN
    if alone:
        report_found(prepared)

    from tangsweep.training.run import run

    result = run(prepared)
    say(summary(result, places.shown(prepared.folder)))
    if alone:
        say(f"files in {places.shown(prepared.folder)}")
        if result["status"] == "failed":
            raise SystemExit(1)
    return result


if __name__ == "__main__":
    reported(main)
