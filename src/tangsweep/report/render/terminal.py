"""What ends a sweep: its ranking on the terminal, and the report."""

from pathlib import Path

from rich import box
from rich.table import Table

from tangsweep.console import console, print_line
from tangsweep.files import display_path
from tangsweep.report import write
from tangsweep.report.render import ranking_table
from tangsweep.report.render.blocks import Report
from tangsweep.report.render.blocks import Table as Part

MOST = 40  # lines of a ranking on the terminal
WANTED = (
    "group",
    "dev ppl",
    "accuracy",
    "seeds",
    "best epoch",
    "train ppl",
    "at end",
    "solved at",
    "trouble",
)


def print_summary(sweep: Path, reported: bool) -> None:
    """Every ranking, what forbids to trust it, the answer; with `reported` the report's files as well."""
    if not any(sweep.glob("*/config.yaml")):
        return
    found, report = write.made([sweep])
    for ranking in report.rankings:
        if len(report.rankings) > 1:
            print_line(ranking.part.title)
        ranked = ranking_table.table(ranking)
        console.print(_drawn(ranked))
        print_line(ranked.note)
    _say_failures(report, found.runs["error"].dropna().tolist())
    if reported:
        files = write.write(report, sweep)
        print_line(f"{display_path(files[0])} shows it all; report.md, tables/ and figures/ beside it")


def _say_failures(report: Report, errors: list[str]) -> None:
    for warning in report.warnings:
        print_line(warning, style="bold red" if "NOT" in warning or errors else "yellow")
    for answer in report.answers:
        print_line(answer)


def _drawn(ranking: Part) -> Table:
    drawn = Table(box=box.SIMPLE, padding=(0, 1))
    places_of = [place for place, name in enumerate(ranking.columns) if name in WANTED]
    for place in places_of:
        words = place < ranking.names or ranking.columns[place] == "trouble"
        drawn.add_column(
            ranking.columns[place],
            justify="left" if words else "right",
            no_wrap=place >= ranking.names,  # a name may fold, a figure is never cut
            overflow="fold",
        )
    for row in ranking.rows[:MOST]:
        drawn.add_row(*(row[place] for place in places_of))
    if len(ranking.rows) > MOST:
        drawn.caption = f"{len(ranking.rows) - MOST} more in the report"
    return drawn
