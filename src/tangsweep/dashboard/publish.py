"""A dashboard at W&B: where it goes, whether the runs are there, and saving it."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import requests
import wandb

from tangsweep.console import print_line
from tangsweep.dashboard.spec import Dashboard, Home, dashboard
from tangsweep.errors import UserError, first_line
from tangsweep.files import display_path
from tangsweep.report.data.collect import Collected
from tangsweep.report.render.blocks import Report
from tangsweep.training import wandb_mode


def home(found: Collected, entity: str | None, project: str | None) -> Home:
    """Where the runs' records say that they are; `entity` and `project` have the last word.

    Raises UserError where no run went to W&B, or several projects hold them.
    """
    paths = [str(path).split("/") for path in found.runs["wandb_path"].dropna()]
    if not paths:
        raise UserError("none of these runs went to W&B (logger=csv): there is nothing that W&B could show")
    homes = {("/".join(path[:-2]), path[-2]) for path in paths}
    entities, projects = (sorted({part[place] for part in homes} - {""}) for place in (0, 1))
    return Home(_one("entity", entity, entities), _one("project", project, projects))


def _one(kind: str, asked: str | None, known: Sequence[str]) -> str:
    if asked:
        return asked
    if len(known) > 1:
        raise UserError(f"the runs' W&B {kind} is not one but {', '.join(known)}: name one with --{kind}")
    return known[0] if known else ""


def publish(found: Collected, report: Report, at: Home) -> list[str]:
    """Save a new workspace for each ranking, and a new report; their addresses.

    What was published before stays as it is, with whatever somebody changed in it. Raises UserError where W&B
    lets nobody in, cannot be reached, or has none of the runs.
    """
    wandb_mode.check_account("--wandb publish needs an account")
    with _told():
        api = wandb.Api()
        at = at._replace(entity=at.entity or api.default_entity or "")
        _check_runs(api, at, found)
        made = dashboard(found, report, at)
        with contextlib.redirect_stderr(io.StringIO()):  # W&B's own word on what was saved
            return [saved.url for saved in _saved(made)]


def _saved(made: Dashboard) -> Iterator[Any]:
    for shown in (*made.workspaces, made.document):
        shown.save()
        yield shown


def _check_runs(api: Any, at: Home, found: Collected) -> None:
    ids = found.runs["wandb_id"].dropna().tolist()
    sweeps = dict.fromkeys(display_path(folder.path.parent) for folder in found.folders.values())
    sync = f"wandb sync {' '.join(f'{sweep}/*/wandb/offline-run-*' for sweep in sweeps)}"
    try:
        there = len(api.runs(f"{at.entity}/{at.project}", filters={"name": {"$in": ids}}, lazy=True))
    except ValueError:  # no such project yet
        there = 0
    if not there:
        raise UserError(f"W&B has none of the {len(ids)} runs in {at.entity}/{at.project}: first `{sync}`")
    if there < len(ids):
        print_line(f"W&B has {there} of the {len(ids)} runs; `{sync}` brings the others", style="yellow")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """W&B's errors in one line."""
    try:
        yield
    except (wandb.errors.Error, requests.RequestException) as error:
        raise UserError(f"W&B: {first_line(error)}") from error
