"""Print a report's rankings, warnings and answers on the terminal."""

import rich.table
from rich import box

from tangsweep.console import console, print_line, print_prose
from tangsweep.printable import printable
from tangsweep.reporting.blocks import Report, Table
from tangsweep.reporting.formatting import MISSING
from tangsweep.reporting.text import ranking_table as headings
from tangsweep.reporting.text.ranking_table import ranking_table

MAX_ROWS = 40
PRINTED_COLUMNS = (
    headings.GROUP,
    headings.ACCURACY,
    headings.INTERVAL,
    headings.SEEDS,
    headings.BEST_EPOCH,
    headings.TRAINING_PERPLEXITY,
    headings.LAST_ACCURACY,
    headings.SOLVED_STEP,
    headings.OTHER_STATUSES,
)


def print_rankings(report: Report) -> None:
    """Print every ranking with some of its columns, then warnings, answers and what would settle more."""
    for ranking in report.rankings:
        if len(report.rankings) > 1:
            print_prose(ranking.comparable.heading)
        table = ranking_table(ranking)
        console.print(_rich_table(table, headings.score_heading(ranking.comparable)))
        print_prose(table.note)
    any_failed = report.tables["runs"]["error"].notna().any()
    for warning in report.warnings:
        print_prose(warning, style="bold red" if "NOT" in warning or any_failed else "yellow")
    for sentence in report.answers:
        print_prose(sentence)
    for headline in report.headlines:
        print_prose(headline, style="bold")
    for step in dict.fromkeys(answer.next_step for answer in report.comparisons if answer.next_step):
        print_line(f"Next: {step.replace('`', '')}")  # it may hold a command


def _rich_table(table: Table, score: str) -> rich.table.Table:
    shown = (*PRINTED_COLUMNS, score)
    places = [
        place
        for place, heading in enumerate(table.columns)
        if heading in shown and any(row[place] != MISSING for row in table.rows)
    ]
    printed = rich.table.Table(box=box.SIMPLE, padding=(0, 1))
    for place in places:
        heading = table.columns[place]
        is_text = place < table.text_columns or heading == headings.OTHER_STATUSES
        printed.add_column(
            heading.replace(" ", "\n"),
            justify="left" if is_text else "right",
            no_wrap=place >= table.text_columns,  # a name may be folded, a number never
            overflow="fold",
        )
    for row in table.rows[:MAX_ROWS]:
        printed.add_row(*(printable(row[place]) for place in places))
    if len(table.rows) > MAX_ROWS:
        printed.caption = f"{len(table.rows) - MAX_ROWS} more in the report"
    return printed
