"""A report as W&B shows it: a workspace for each ranking, and a document over all of them."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from tangsweep.dashboard.logged import Logged, logged
from tangsweep.dashboard.panels import Panels, laid_out, sections, stable
from tangsweep.report.analysis.ranking import Ranking
from tangsweep.report.charts.group_style import GroupStyle
from tangsweep.report.data.collect import Collected
from tangsweep.report.render import ranking_table
from tangsweep.report.render.blocks import Report
from tangsweep.report.render.markdown import written
from tangsweep.runs import wandb_names

LONGEST = 128  # characters of a title that W&B takes
MADE = "Made by `python src/report.py --wandb publish`; report.html, made with it, says how all is counted."


class Home(NamedTuple):
    """Where the runs lie at W&B; an empty entity stands for whoever looks."""

    entity: str
    project: str


class Dashboard(NamedTuple):
    """What `publish` saves, as W&B's own library has it."""

    workspaces: list[Any]
    document: Any

    @property
    def json(self) -> str:
        """The same as JSON, made without a network; the same runs make the same text."""
        models = {
            "workspaces": [_plain(workspace) for workspace in self.workspaces],
            "report": _plain(self.document),
        }
        return json.dumps(models, indent=2, ensure_ascii=False) + "\n"


def _plain(shown: Any) -> Any:
    return json.loads(shown._to_model().model_dump_json(by_alias=True, exclude_none=True))


def dashboard(found: Collected, report: Report, home: Home) -> Dashboard:
    """Of the runs that went to W&B; a ranking of which none did is left out."""
    known = [(ranking, logged(found, ranking.part)) for ranking in report.rankings]
    known = [(ranking, names) for ranking, names in known if names.ids]
    several = len(known) > 1
    workspaces, blocks = [], _head(report)
    for ranking, names in known:
        title = f"{report.title} ({ranking.part.title})" if several else report.title
        workspaces.append(_workspace(title, ranking, names, home, found.runs["group"]))
        blocks += _blocks(title, ranking, names, home)
    document = wr.Report(
        entity=home.entity,
        project=home.project,
        title=f"tangsweep {report.title}"[:LONGEST],
        description=report.question,
        blocks=[*blocks, wr.MarkdownBlock(MADE)],
        width="fluid",
    )
    return Dashboard(workspaces, document)


def _head(report: Report) -> list[Any]:
    """Nobody reads the answer without the warnings."""
    return [
        *(wr.P(answer) for answer in report.answers),
        *(wr.CalloutBlock(text=[warning]) for warning in report.warnings),
    ]


def _workspace(title: str, ranking: Ranking, names: Logged, home: Home, among: Iterable[str]) -> Any:
    found = sections(names, ranking.part.by_accuracy)
    laid_out(found, title)
    settings = ws.RunsetSettings(
        filters=_only(names),
        groupby=[expr.Config(wandb_names.VARIANT)],
        group_colors=_colours(names, among),
        order=[expr.Ordering(expr.Metric("Name"))],
        pinned_columns=_columns(names),
    )
    made = ws.Workspace(
        entity=home.entity,
        project=home.project,
        name=f"tangsweep {title}"[:LONGEST],
        sections=[_section(section) for section in found],
        settings=ws.WorkspaceSettings(max_runs=100),
        runset_settings=settings,
    )
    made._internal_runset_id = stable(f"{title}/runs")
    return made


def _section(found: Panels) -> Any:
    columns = min(3, len(found.panels))
    layout = ws.SectionLayoutSettings(columns=columns, rows=-(-len(found.panels) // columns))
    return ws.Section(name=found.title, panels=found.panels, is_open=True, layout_settings=layout)


def _blocks(title: str, ranking: Ranking, names: Logged, home: Home) -> list[Any]:
    runs = wr.Runset(
        entity="",  # the report's own project: naming it would ask the server
        name=title[:LONGEST],
        filters=_only(names),
        groupby=[f"config.{wandb_names.VARIANT}"],
        order=[wr.OrderBy("Name")],
    )
    runs._id = stable(f"{title}/document")
    panels = laid_out(sections(names, ranking.part.by_accuracy), f"{title}/document")
    return [
        wr.H2(f"Ranking: {ranking.part.title}"),
        wr.MarkdownBlock(written(ranking_table.table(ranking))),
        wr.PanelGrid(runsets=[runs], panels=panels),
    ]


def _only(names: Logged) -> list[Any]:
    """These runs and no others of the project."""
    return [expr.Metric("ID").isin(sorted(names.ids.values()))]


def _colours(names: Logged, among: Iterable[str]) -> dict[object, object]:
    """The page's colours, of which `among` are all groups."""
    shades = GroupStyle(names.groups.values(), among).shades
    return {variant: shades[group] for variant, group in names.groups.items()}


def _columns(names: Logged) -> list[str]:
    wanted = ("best/dev/perplexity", "best/dev/accuracy", "best_epoch")
    return [f"summary:{name}" for name in wanted if name in names.summary]
