"""Train one run, or many with -m or sweeps=NAME; `python src/train.py --help` shows how.

Only what composes the configuration is imported here; torch and the rest come when a run starts.
"""

from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tangsweep.command_line import print_error, run_command
from tangsweep.errors import UserError
from tangsweep.files import display_path


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def main(composed: DictConfig) -> dict[str, Any]:
    """One run, alone or as a job of a sweep; returns its record."""
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        return job(composed)
    try:
        result = job(composed, announced=True)
    except UserError as error:
        raise SystemExit(print_error(str(error))) from None  # Hydra would add lines of its own
    if result["status"] == "failed":
        raise SystemExit(1)
    return result


def job(composed: DictConfig, announced: bool = False) -> dict[str, Any]:
    """Prepare and train; `announced` says first what the corpus holds and last where files lie."""
    from tangsweep.console import format_outcome, print_line
    from tangsweep.runs import command_log, published
    from tangsweep.training.prepare import prepare, report_found

    config: Any = OmegaConf.to_container(composed, resolve=True)
    prepared = prepare(config, list(HydraConfig.get().overrides.task))
    if announced:
        report_found([prepared])
    if config["plan"]:
        return planned(prepared)

    from tangsweep.sweep import run_status
    from tangsweep.training import preflight
    from tangsweep.training.run import run

    if announced:
        if run_status.look_up_runs([prepared.folder], config["rerun"])[prepared.folder].trained:
            preflight.check_before_training([prepared.config])
        command_log.log_command(prepared.folder.parent, 1, 1)
    # Of a sweep, what is to be trained anew has been set aside: whatever has not ended goes on.
    rerun = config["rerun"] if announced else "unfinished"
    result = run(prepared, rerun, config["unlock"], config["extend"])
    print_line(format_outcome(result, display_path(prepared.folder)))
    if result.get("published"):
        print_line(published.line(result["published"]))
    if result["status"] == "failed" and config["fail_fast"]:
        raise SystemExit(1)  # Hydra's launchers would go on after any other exception
    if announced:
        print_line(f"files in {display_path(prepared.folder)}")
    return result


def planned(prepared: Any) -> dict[str, Any]:
    """What `plan=true` shows of a single run."""
    from tangsweep.sweep import plan, run_status

    plan.print_plan(
        [prepared], run_status.look_up_runs([prepared.folder], prepared.config["rerun"]), at_once=1
    )
    return {"status": "planned"}


if __name__ == "__main__":
    run_command(main)
