"""A report as one HTML file: no request leaves it; for a phone, a desk and paper."""

import json
from html import escape
from importlib.resources import files
from string import Template

from tangsweep.report.render.blocks import Block, Chart, Report, Table, Verses
from tangsweep.report.render.vega import scripts


def html(report: Report) -> str:
    """Whatever configs and poems hold is escaped; charts are data in a script, where no tag can end it."""
    every = (part for section in report.sections for part in section.parts)
    charts = {part.name: part.spec for part in every if isinstance(part, Chart)}
    data = json.dumps(charts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = _head(report) + "".join(
        f"<h2>{escape(section.title)}</h2>{''.join(map(_part, section.parts))}" for section in report.sections
    )
    own = scripts().replace("</script", "<\\/script")
    return Template(_own("page.html")).substitute(
        title=escape(report.title), style=_own("page.css"), body=body, scripts=own, charts=data
    )


def _own(name: str) -> str:
    return (files("tangsweep.report.render") / name).read_text(encoding="utf-8")


def _head(report: Report) -> str:
    warnings = "".join(f"<p>{escape(warning)}</p>" for warning in report.warnings)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts)
    return (
        f'<h1>{escape(report.title)}</h1><p class="question">{escape(report.question)}</p>'
        + "".join(f'<p class="answer">{escape(answer)}</p>' for answer in report.answers)
        + (f'<div class="warnings" role="alert">{warnings}</div>' if warnings else "")
        + f"<dl>{facts}</dl>"
    )


def _part(part: Block) -> str:
    match part:
        case Table():
            return _table(part)
        case Chart():
            note = f'<p class="note">{escape(part.caption)}</p>'
            return (
                f'<figure><div class="scroll"><div id="{part.name}" class="chart"></div></div>{note}</figure>'
            )
        case Verses():
            poems = "".join(
                f"<div><h3>{escape(title)}</h3><pre>{escape(text)}</pre></div>" for title, text in part.poems
            )
            return f'<div class="verses">{poems}</div>'
        case _:
            return f"<p>{escape(part)}</p>"


def _table(table: Table) -> str:
    head = "".join(
        f"<th{_kind(table, place, name)}>{escape(name)}</th>" for place, name in enumerate(table.columns)
    )
    rows = "".join(f"<tr>{_cells(table, row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'
    )


def _cells(table: Table, row: list[str]) -> str:
    return "".join(f"<td{_kind(table, place, cell)}>{escape(cell)}</td>" for place, cell in enumerate(row))


def _kind(table: Table, place: int, cell: str) -> str:
    if place >= table.names:
        return ""
    return ' class="word long"' if len(cell) > 30 else ' class="word"'
