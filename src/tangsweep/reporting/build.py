"""Build a report from the folders of sweeps, and write its files.

To add a chart, write a module in charts/ with a function that returns its `Section` or None, and add the
function to one of the two lists below.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tangsweep.console import print_line
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, display_path
from tangsweep.printable import printable_line
from tangsweep.reporting.analysis.rank_groups import rank_groups
from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.analysis.scored_documents import read_scored_documents
from tangsweep.reporting.analysis.tuning import TunedComparison, choosing_runs, compare_tuned
from tangsweep.reporting.blocks import Answer, Report, Section
from tangsweep.reporting.charts.across_tasks import across_tasks_section
from tangsweep.reporting.charts.breakdown import breakdown_section
from tangsweep.reporting.charts.budgets import budget_section
from tangsweep.reporting.charts.curves import curves_section, setting_curves_section
from tangsweep.reporting.charts.dataset_size import dataset_size_section
from tangsweep.reporting.charts.initialization import initialization_section
from tangsweep.reporting.charts.learning_rates import learning_rate_section, learning_rate_table
from tangsweep.reporting.charts.score_plot import score_chart
from tangsweep.reporting.charts.search import search_section
from tangsweep.reporting.charts.solve_rates import solve_rate_section
from tangsweep.reporting.charts.variance_sources import variance_source_section
from tangsweep.reporting.data.collect import SweepData, collect
from tangsweep.reporting.data.comparability import comparable_sets, name_groups_within, without_paused
from tangsweep.reporting.render.csv_table import render_csv
from tangsweep.reporting.render.html_page import render_html
from tangsweep.reporting.render.markdown import render_markdown
from tangsweep.reporting.render.terminal import print_rankings
from tangsweep.reporting.render.vega import draw_pictures
from tangsweep.reporting.sweep_summary import summarize, write_summary
from tangsweep.reporting.text.cautions import Cautions, find_cautions
from tangsweep.reporting.text.cost import cost_section
from tangsweep.reporting.text.headline import headline, next_step
from tangsweep.reporting.text.overview import provenance_warnings, report_warnings, rests_on, sweep_facts
from tangsweep.reporting.text.ranking_table import ranking_section
from tangsweep.reporting.text.sections import (
    poem_section,
    provenance_section,
    published_section,
    unreadable_section,
)
from tangsweep.reporting.text.summary import ranking_answer, sweep_question
from tangsweep.reporting.text.tables import run_tables
from tangsweep.reporting.text.tuned import tuned_answer, tuned_section

RankingSection = Callable[[SweepData, Ranking], Section | None]
# Sections of each ranking of all settings, in their order on the page.
RANKING_SECTIONS: list[RankingSection] = [budget_section, ranking_section]
# Sections of what is judged: all settings, or where some were chosen, those.
JUDGED_SECTIONS: list[RankingSection] = [cost_section, breakdown_section]
# Sections of all runs together, below those.
SWEEP_SECTIONS: list[Callable[[SweepData, Sequence[Ranking]], Section | None]] = [
    search_section,
    dataset_size_section,
    initialization_section,
    solve_rate_section,
    variance_source_section,
    across_tasks_section,
]
# The end of the page, on the rankings of what is judged.
LAST_SECTIONS: list[Callable[[SweepData, Sequence[Ranking]], Section | None]] = [
    poem_section,
    published_section,
    provenance_section,
    unreadable_section,
]


def read_sweeps(folders: Sequence[Path]) -> SweepData:
    """Return the data of all runs. Raises UserError where a folder is missing or none holds a run."""
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} does not exist: name the folder of a sweep, outputs/NAME")
    data = collect(folders)
    if data.runs.empty:
        names = ", ".join(map(str, folders))
        raise UserError(f"{names} holds no run: name the folder of a sweep, outputs/NAME")
    return data


class Comparison(NamedTuple):
    """What is said about one set of comparable runs."""

    ranking: Ranking  # of all settings, over the seeds that may choose one
    tuned: TunedComparison | None  # of what is compared, each value at its own best setting
    rates: pd.DataFrame  # scores by learning rate, empty where that was not varied
    cautions: Cautions

    @property
    def judged(self) -> Ranking:
        """The ranking that answers the question."""
        return self.tuned.ranking if self.tuned else self.ranking


def compare_runs(data: SweepData) -> list[Comparison]:
    """Return a comparison for each set of runs that can be compared."""
    comparisons = []
    for whole in comparable_sets(without_paused(data.runs)):
        comparable = name_groups_within(whole, data.configs, data.records)
        text = read_scored_documents(comparable, data.folders)
        choosing = choosing_runs(comparable, data.configs)
        tuned = compare_tuned(comparable, text, data.configs, data.records)
        ranking = rank_groups(choosing, text)
        rates = learning_rate_table(choosing, data.configs)
        cautions = find_cautions(tuned.ranking if tuned else ranking, rates)
        comparisons.append(Comparison(ranking, tuned, rates, cautions))
    return comparisons


def rank_comparable_runs(data: SweepData) -> list[Ranking]:
    """Return a ranking for each set of runs that can be compared."""
    return [comparison.ranking for comparison in compare_runs(data)]


def report_on(folders: Sequence[Path]) -> tuple[SweepData, Report]:
    """Return the data of all runs in the folders of sweeps, and the report on it.

    Raises UserError where a folder is missing or none holds a run.
    """
    data = read_sweeps(folders)
    title = " and ".join(dict.fromkeys(folder.name for folder in folders))
    return data, build_report(data, title)


def build_report(data: SweepData, title: str) -> Report:
    """Build the report; what is missing is left out or named, and raises nothing."""
    comparisons = compare_runs(data)
    rankings = [comparison.ranking for comparison in comparisons]
    answers = [_build_answer(data, comparison) for comparison in comparisons]
    if len(answers) > 1:
        answers = [answer.numbered(number) for number, answer in enumerate(answers, 1)]
    sections = _sections(data, comparisons)
    tables = run_tables(data, rankings)
    for section in sections:
        tables |= section.tables
    return Report(
        title=printable_line(title),
        question=sweep_question(data),
        comparisons=answers,
        warnings=_warnings(data, comparisons, sections),
        facts=sweep_facts(data),
        sections=sections,
        tables=tables,
        rankings=rankings,
    )


def _warnings(data: SweepData, comparisons: Sequence[Comparison], sections: Sequence[Section]) -> list[str]:
    """Return the warnings on the report, on each comparison and of the sections."""
    warnings = report_warnings(data, [comparison.ranking for comparison in comparisons])
    for comparison in comparisons:
        part = f"{comparison.ranking.comparable.heading}: " if len(comparisons) > 1 else ""
        warnings += [part + warning for warning in comparison.cautions.warnings]
    warnings += [warning for section in sections for warning in section.warnings]
    return warnings + provenance_warnings(data.runs)


def _build_answer(data: SweepData, comparison: Comparison) -> Answer:
    """Return the answer of a comparison: of tuned values where settings were chosen, else of groups."""
    ranking, tuned, judged = comparison.ranking, comparison.tuned, comparison.judged
    return Answer(
        scored_on=ranking.comparable.heading,
        headline=headline(ranking, tuned),
        next_step=next_step(
            ranking, tuned, comparison.cautions.edges, comparison.cautions.improving, data.commands
        ),
        rests_on=rests_on(data, ranking, tuned),
        details=tuned_answer(tuned) if tuned else ranking_answer(ranking),
        chart=score_chart(judged, data.values),
    )


def _sections(data: SweepData, comparisons: Sequence[Comparison]) -> list[Section]:
    """Return the sections that have something to show; those of several rankings are numbered."""
    sections: list[Section | None] = []
    rankings = [comparison.ranking for comparison in comparisons]
    for number, comparison in enumerate(comparisons, 1):
        ranking, tuned, judged = comparison.ranking, comparison.tuned, comparison.judged
        own = [curves_section(data, judged), tuned_section(tuned) if tuned else None]
        own.append(learning_rate_section(comparison.rates, data.values.values()))
        own += [build(data, ranking) for build in RANKING_SECTIONS]
        own += [setting_curves_section(data, ranking)] if tuned else []
        own += [build(data, judged) for build in JUDGED_SECTIONS]
        if len(comparisons) > 1:
            own = [section and section.numbered(number, ranking.comparable.heading) for section in own]
        sections += own
    sections += [sweep_builder(data, rankings) for sweep_builder in SWEEP_SECTIONS]
    judged_rankings = [comparison.judged for comparison in comparisons]
    sections += [sweep_builder(data, judged_rankings) for sweep_builder in LAST_SECTIONS]
    return [section for section in sections if section and section.blocks]


def write_report(report: Report, out: Path, pictures: bool = True) -> list[Path]:
    """Write report.html, report.md, tables/*.csv and figures/*, each whole or not at all; return their paths.

    Without `pictures` no PNG and SVG files are written. Raises UserError where a folder cannot be written.
    """
    files: dict[Path, bytes | str] = {
        out / "report.html": render_html(report),
        out / "report.md": render_markdown(report),
    }
    for name, table in report.tables.items():
        files[out / "tables" / f"{name}.csv"] = render_csv(table)
    for picture in draw_pictures(report.charts if pictures else []):
        files[out / "figures" / f"{picture.name}.svg"] = picture.svg
        files[out / "figures" / f"{picture.name}.png"] = picture.png
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{path.parent} cannot be created ({error.strerror}): name another folder with --out"
            ) from error
        atomic_write(path, content)
    return list(files)


def report_sweep(sweep: Path, write_files: bool) -> None:
    """Print the rankings of a sweep that just ended, and write its report if `write_files` says so."""
    if not any(sweep.glob("*/config.yaml")):
        return
    data, report = report_on([sweep])
    print_rankings(report)
    if write_files:
        files = write_report(report, sweep)
        write_summary(sweep, summarize(sweep, data, report))
        print_line(
            f"{display_path(files[0])} has the whole report; report.md, tables/ and figures/ lie beside it"
        )
