"""Save a dashboard at W&B, after a check that the runs are there."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Protocol, Self

import requests
import wandb

from tangsweep.console import print_line
from tangsweep.dashboard.spec import WandbProject, build_dashboard
from tangsweep.errors import UserError, first_line
from tangsweep.files import display_path
from tangsweep.reporting.blocks import Report
from tangsweep.reporting.data.collect import SweepData
from tangsweep.training.mirror_settings import check_account


class SavableView(Protocol):
    """A workspace or a report of W&B's library, whose `save` has no types."""

    @property
    def url(self) -> str: ...

    def save(self) -> Self: ...


def find_wandb_project(data: SweepData, entity: str | None, project: str | None) -> WandbProject:
    """Return the project that the runs' records name; `entity` and `project` override it.

    Raises UserError where no run went to W&B, or the runs lie in several projects.
    """
    paths = [str(path).split("/") for path in data.runs["wandb_path"].dropna()]
    if not paths:
        raise UserError("none of these runs went to W&B (logger=csv), so W&B has nothing to show")
    entities = sorted({"/".join(path[:-2]) for path in paths} - {""})
    projects = sorted({path[-2] for path in paths} - {""})
    return WandbProject(_single("entity", entity, entities), _single("project", project, projects))


def _single(kind: str, override: str | None, names: Sequence[str]) -> str:
    if override:
        return override
    if len(names) > 1:
        raise UserError(
            f"the runs belong to several W&B {kind} names, {', '.join(names)}: name one with --{kind}"
        )
    return names[0] if names else ""


def publish_dashboard(data: SweepData, report: Report, project: WandbProject) -> list[str]:
    """Save a new workspace for each ranking and a new report; return their addresses.

    What was published before is not changed. Raises UserError where W&B refuses the user, cannot be
    reached, or has none of the runs.
    """
    check_account("--wandb publish needs an account")
    with _one_line_errors():
        api = wandb.Api()
        project = project._replace(entity=project.entity or api.default_entity or "")
        _check_uploaded(api, project, data)
        dashboard = build_dashboard(data, report, project)
        views: list[SavableView] = [*dashboard.workspaces, dashboard.document]
        with contextlib.redirect_stderr(io.StringIO()):  # W&B's own messages about what was saved
            for view in views:
                view.save()
        return [view.url for view in views]


def _check_uploaded(api: wandb.Api, project: WandbProject, data: SweepData) -> None:
    """Raise UserError where W&B has none of the runs, and warn where some are missing."""
    ids = data.runs["wandb_id"].dropna().tolist()
    sweeps = dict.fromkeys(display_path(folder.path.parent) for folder in data.folders.values())
    sync = f"wandb sync {' '.join(f'{sweep}/*/wandb/offline-run-*' for sweep in sweeps)}"
    path = f"{project.entity}/{project.project}"
    try:
        uploaded = len(api.runs(path, filters={"name": {"$in": ids}}, lazy=True))
    except ValueError:  # the project does not exist yet
        uploaded = 0
    if not uploaded:
        raise UserError(f"W&B has none of the {len(ids)} runs in {path}: first run `{sync}`")
    if uploaded < len(ids):
        print_line(f"W&B has {uploaded} of the {len(ids)} runs; `{sync}` uploads the others", style="yellow")


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn W&B's errors into UserError with one line."""
    try:
        yield
    except (wandb.errors.Error, requests.RequestException) as error:
        raise UserError(f"W&B: {first_line(error)}") from error
