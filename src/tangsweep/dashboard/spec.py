"""Build a report's dashboard at W&B: a workspace for each ranking, and a document over all of them."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue
from wandb_workspaces import expr
from wandb_workspaces.reports.v2 import interface as wr
from wandb_workspaces.workspaces import interface as ws

from tangsweep.dashboard.panels import (
    MAX_RUNS,
    LoggedNames,
    PanelSection,
    logged_names,
    panel_sections,
    place_panels,
    stable_id,
)
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.blocks import Report, Table
from tangsweep.reporting.charts.group_style import GroupStyle
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.render.markdown import block_markdown
from tangsweep.reporting.text.ranking_table import ranking_table
from tangsweep.runs.wandb_names import VARIANT

MAX_TITLE = 128  # characters that W&B accepts
ORIGIN = "Created by `python src/report.py --wandb publish`; report.html explains how everything is counted."
# Sections of the report whose figures stand in no run's summary: their tables are copied.
TABLE_SECTIONS = ("Tuned", "Cost", "Where the nats go", "Sources of variance", "Across tasks")
PINNED_SUMMARY = (
    "best/test/known_perplexity",
    "best/dev/known_perplexity",
    "best/dev/perplexity",
    "best/dev/accuracy",
    "best_epoch",
)


class WandbProject(NamedTuple):
    """The project that holds the runs; an empty entity stands for the user's default one."""

    entity: str
    project: str


class Dashboard(NamedTuple):
    """The workspace and the report that publishing saves, as objects of W&B's own library."""

    workspaces: list[ws.Workspace]
    document: wr.Report

    @property
    def json(self) -> str:
        """The same as JSON, built without a network; the same runs give the same text."""
        models = {
            "workspaces": [_model_json(workspace) for workspace in self.workspaces],
            "report": _model_json(self.document),
        }
        return json.dumps(models, indent=2, ensure_ascii=False) + "\n"


def _model_json(view: ws.Workspace | wr.Report) -> JsonValue:
    value: JsonValue = json.loads(view._to_model().model_dump_json(by_alias=True, exclude_none=True))
    return value


def build_dashboard(data: SweepData, report: Report, project: WandbProject) -> Dashboard:
    """Return the dashboard of the runs that went to W&B; a ranking without any is left out."""
    rankings = [(ranking, logged_names(data, ranking.comparable)) for ranking in report.rankings]
    rankings = [(ranking, names) for ranking, names in rankings if names.ids]
    workspaces, blocks = [], _head(report)
    for ranking, names in rankings:
        title = f"{report.title} ({ranking.comparable.title})" if len(rankings) > 1 else report.title
        workspaces.append(_workspace(title, ranking, names, project, data.values))
        blocks += _ranking_blocks(title, ranking, names)
        if len(report.rankings) > 1:
            blocks += _table_blocks(report, ranking.comparable.heading)
    blocks += _table_blocks(report, "")
    document = wr.Report(
        entity=project.entity,
        project=project.project,
        title=f"tangsweep {report.title}"[:MAX_TITLE],
        description=report.question,
        blocks=[*blocks, wr.MarkdownBlock(ORIGIN)],
        width="fluid",
    )
    return Dashboard(workspaces, document)


def _head(report: Report) -> list[wr.BlockTypes]:
    """Return the answers, directly followed by the warnings."""
    return [
        *(wr.P(answer) for answer in report.answers),
        *(wr.CalloutBlock(text=[warning]) for warning in report.warnings),
    ]


def _workspace(
    title: str, ranking: Ranking, names: LoggedNames, project: WandbProject, values: Mapping[str, str]
) -> ws.Workspace:
    sections = panel_sections(names, ranking.comparable.metric)
    place_panels(sections, title)
    settings = ws.RunsetSettings(
        filters=_run_filter(names),
        groupby=[expr.Config(VARIANT)],
        group_colors=_group_colours(names, GroupStyle.of_runs(ranking.comparable.runs, values)),
        order=[expr.Ordering(expr.Metric("Name"))],
        pinned_columns=[f"summary:{name}" for name in PINNED_SUMMARY if name in names.summary],
    )
    workspace = ws.Workspace(
        entity=project.entity,
        project=project.project,
        name=f"tangsweep {title}"[:MAX_TITLE],
        sections=[_workspace_section(section) for section in sections],
        settings=ws.WorkspaceSettings(max_runs=MAX_RUNS),
        runset_settings=settings,
    )
    workspace._internal_runset_id = stable_id(f"{title}/runs")
    return workspace


def _workspace_section(section: PanelSection) -> ws.Section:
    columns = min(3, len(section.panels))
    layout = ws.SectionLayoutSettings(columns=columns, rows=-(-len(section.panels) // columns))
    return ws.Section(name=section.title, panels=[*section.panels], is_open=True, layout_settings=layout)


def _ranking_blocks(title: str, ranking: Ranking, names: LoggedNames) -> list[wr.BlockTypes]:
    runs = wr.Runset(
        entity="",  # the report's own project; W&B's library would ask the server for a named one
        name=title[:MAX_TITLE],
        filters=_run_filter(names),
        groupby=[f"config.{VARIANT}"],
        order=[wr.OrderBy("Name")],
    )
    runs._id = stable_id(f"{title}/document")
    panels = place_panels(panel_sections(names, ranking.comparable.metric), f"{title}/document")
    return [
        wr.H2(f"Ranking: {ranking.comparable.heading}"),
        wr.MarkdownBlock(block_markdown(ranking_table(ranking))),
        wr.PanelGrid(runsets=[runs], panels=[*panels]),
    ]


def _table_blocks(report: Report, part: str) -> list[wr.BlockTypes]:
    """Return tables and sentences of the report, of one ranking among several or of all runs together."""
    blocks: list[wr.BlockTypes] = []
    for section in report.sections:
        shown = [block for block in section.blocks if isinstance(block, Table | str)]
        if section.title in TABLE_SECTIONS and section.part == part and shown:
            blocks.append(wr.H2(f"{section.title}: {part}" if part else section.title))
            blocks += [wr.MarkdownBlock(block_markdown(block)) for block in shown]
    return blocks


def _run_filter(names: LoggedNames) -> list[expr.FilterExpr]:
    """Select these runs and no others of the project."""
    return [expr.Metric("ID").isin(sorted(names.ids.values()))]


def _group_colours(names: LoggedNames, style: GroupStyle) -> dict[object, object]:
    """Return the colour of each variant, the same as in report.html."""
    colours = style.colours
    return {variant: colours[group] for variant, group in names.groups.items()}
