"""Render a report as one HTML file that loads nothing from elsewhere."""

import json
import re
from html import escape
from importlib.resources import files
from string import Template

from pydantic import JsonValue

from tangsweep.reporting.blocks import (
    Answer,
    Block,
    Chart,
    PoemBlock,
    Report,
    RunConfigs,
    Section,
    Table,
    VegaLiteSpec,
)
from tangsweep.reporting.render.vega import vega_scripts
from tangsweep.reporting.text.glossary import explain

LONG_CELL = 30  # characters
FOLDED_ROWS = 24  # tables with more rows are folded


def render_html(report: Report, refresh_seconds: int | None = None) -> str:
    """Return the page; with `refresh_seconds` a browser loads it again and again.

    Texts are escaped, and data cannot end the script that holds it.
    """
    configs = [b for section in report.sections for b in section.blocks if isinstance(b, RunConfigs)]
    return Template(read_resource("page.html")).substitute(
        title=escape(report.title),
        refresh="" if refresh_seconds is None else f'<meta http-equiv="refresh" content="{refresh_seconds}">',
        style=read_resource("tabulator/tabulator_simple.min.css") + read_resource("page.css"),
        body=_head(report) + _contents(report) + _sections(report),
        scripts=_without_end_tag(vega_scripts() + "\n" + read_resource("tabulator/tabulator.min.js")),
        charts=_as_script({chart.name: compact_datasets(chart.spec) for chart in report.charts}),
        configs=_as_script(configs[0]._asdict() if configs else None),
    )


def read_resource(name: str) -> str:
    """Return the text of a file of this package."""
    return (files("tangsweep.reporting.render") / name).read_text(encoding="utf-8")


def _without_end_tag(script: str) -> str:
    return script.replace("</script", "<\\/script")


def _as_script(value: JsonValue | dict[str, JsonValue]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def inline(text: str) -> str:
    """Escape a text; what stands between backticks becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _head(report: Report) -> str:
    """Return what a reader sees without scrolling: question, answers with a picture, warnings."""
    named = len(report.comparisons) > 1
    answers = "".join(_answer(answer, named) for answer in report.comparisons)
    warnings = "".join(f"<li>{inline(warning)}</li>" for warning in report.warnings)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{inline(value)}</dd>" for name, value in report.facts)
    return (
        f'<header><p class="name">{escape(report.title)}</p><h1>{inline(report.question)}</h1>{answers}'
        + (f'<ul class="warnings" role="alert">{warnings}</ul>' if warnings else "")
        + f"<details><summary>Texts, runs and machine</summary><dl>{facts}</dl></details></header>"
    )


def _answer(answer: Answer, named: bool) -> str:
    details = " ".join(map(inline, answer.details))
    return (
        (f"<h2>{inline(answer.scored_on)}</h2>" if named else "")
        + f'<p class="answer">{inline(answer.headline)}</p>'
        + (_block(answer.chart) if answer.chart else "")
        + f'<p class="rests">{inline(answer.rests_on)}</p>'
        + (f'<p class="next"><b>Next:</b> {inline(answer.next_step)}</p>' if answer.next_step else "")
        + f"<details><summary>Scores, tests and their method</summary><p>{details}</p></details>"
    )


def _contents(report: Report) -> str:
    """Return links to the sections, those of one ranking after its name."""
    links, part = "", ""
    for number, section in enumerate(report.sections):
        if section.part != part:
            part = section.part
            links += f"<b>{escape(part or 'All runs')}</b>"
        links += f'<a href="#section-{number}">{escape(section.title)}</a>'
    return f'<nav aria-label="Contents">{links}</nav>' if links else ""


def _sections(report: Report) -> str:
    parts, part = [], ""
    for number, section in enumerate(report.sections):
        if section.part != part:
            part = section.part
            parts.append(f'<h2 class="part">{inline(part or "All runs")}</h2>')
        parts.append(_section(section, number))
    return "".join(parts)


def _section(section: Section, number: int) -> str:
    level = "h3" if section.part else "h2"
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="section-{number}"><{level}>{escape(section.title)}</{level}>{blocks}</section>'


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block.without_empty_columns())
        case Chart():
            place = f'<div class="scroll"><div id="{block.name}" class="chart"></div></div>'
            note = f'<figcaption class="note">{inline(block.caption)}</figcaption>'
            return f"<figure>{place}{note}</figure>"
        case PoemBlock():
            poems = "".join(
                f"<div><h4>{escape(heading)}</h4><pre>{escape(poem)}</pre></div>"
                for heading, poem in block.poems
            )
            summary = f"<summary>{inline(block.caption)}</summary>"
            return f'<details>{summary}<div class="poems">{poems}</div></details>'
        case RunConfigs():
            return '<div class="configs"></div>'
        case _:
            return f"<p>{inline(block)}</p>"


def _table(table: Table) -> str:
    """Return a plain table, to which the page's script adds sorting, filters and the choice of columns."""
    head = "".join(_heading(table, place) for place in range(len(table.columns)))
    body = "".join(f"<tr>{_cells(table, row)}</tr>" for row in table.rows)
    note = f'<p class="note">{inline(table.note)}</p>' if table.note else ""
    element = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    if len(table.rows) > FOLDED_ROWS:
        summary = f"<summary>{len(table.rows)} rows</summary>"
        return f'<details class="folded">{summary}<div class="scroll">{element}</div></details>{note}'
    return f'<div class="scroll">{element}</div>{note}'


def _heading(table: Table, place: int) -> str:
    heading = table.columns[place]
    explanation = table.explanations.get(heading) or explain(heading)
    classes = _css_classes(table, place, heading)
    return f'<th{classes} title="{escape(explanation)}">{escape(heading)}</th>'


def _cells(table: Table, row: list[str]) -> str:
    cells = []
    for place, cell in enumerate(row):
        text = escape(cell)
        if not place and (address := table.links.get(cell)):
            text = f'<a href="{escape(address)}">{text}</a>'
        cells.append(f"<td{_css_classes(table, place, cell)}>{text}</td>")
    return "".join(cells)


def _css_classes(table: Table, place: int, cell: str) -> str:
    names = []
    if place < table.text_columns:
        names += ["text", "long"] if len(cell) > LONG_CELL else ["text"]
    if table.columns[place] in table.optional:
        names.append("optional")
    return f' class="{" ".join(names)}"' if names else ""


def compact_datasets(spec: VegaLiteSpec) -> VegaLiteSpec:
    """Return the specification with each of its `datasets` as {"rows": count, "columns": {name: column}}.

    That is a third as long as rows that repeat every name; page.html inverts it.
    A column of texts is {"texts": distinct ones, "places": one for each row}; null stands for no value.
    """
    datasets = spec.get("datasets")
    if not isinstance(datasets, dict):
        return spec
    return spec | {"datasets": {name: _by_columns(rows) for name, rows in datasets.items()}}


def _by_columns(rows: JsonValue) -> JsonValue:
    if not isinstance(rows, list):
        return rows
    objects = [row for row in rows if isinstance(row, dict)]
    names = dict.fromkeys(name for row in objects for name in row)
    columns: dict[str, JsonValue] = {name: _column([row.get(name) for row in objects]) for name in names}
    return {"rows": len(objects), "columns": columns}


def _column(values: list[JsonValue]) -> JsonValue:
    if not all(isinstance(value, str | None) for value in values):
        return [int(v) if isinstance(v, float) and v.is_integer() and abs(v) < 2**53 else v for v in values]
    places: dict[JsonValue, int] = {}
    coded: list[JsonValue] = [None if v is None else places.setdefault(v, len(places)) for v in values]
    return {"texts": list(places), "places": coded}
