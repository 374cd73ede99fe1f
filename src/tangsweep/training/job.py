"""One job of a sweep: train a prepared run and say how it ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.console import format_outcome, print_line
from tangsweep.files import display_path
from tangsweep.runs.published import format_published
from tangsweep.runs.record import Outcome
from tangsweep.tasks.registry import parse_config
from tangsweep.training.prepare import PreparedRun, check_resources, prepare


def train_job(values: Mapping[str, Any], overrides: Sequence[str]) -> Outcome:
    """Train the run of a composed config, in whichever process a launcher has put it. Raises UserError."""
    config = parse_config(values)
    check_resources(config)
    return train_prepared(prepare(config, overrides))


def train_prepared(run: PreparedRun) -> Outcome:
    """Train the run and print how it ended.

    Runs that are to be trained anew were set aside by the sweep; whatever has not ended goes on. Raises
    SystemExit(1) with `fail_fast=true` where the run failed: launchers would go on after another exception.
    """
    from tangsweep.training.run import train_run  # torch and Lightning: seconds

    outcome = train_run(run)
    print_outcome(run, outcome)
    if outcome.status == "failed" and run.config.fail_fast:
        raise SystemExit(1)
    return outcome


def print_outcome(run: PreparedRun, outcome: Outcome) -> None:
    """Print how a run ended, and published figures beside its own."""
    print_line(format_outcome(outcome, display_path(run.folder)))
    if outcome.record is not None and outcome.record.published:
        print_line(format_published(outcome.record.published))
