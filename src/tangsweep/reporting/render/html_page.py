"""Render a report as one HTML file that loads nothing from elsewhere, and as Markdown."""

import json
from html import escape
from importlib.resources import files
from string import Template

from tangsweep.reporting.blocks import Block, Chart, PoemBlock, Report, Table
from tangsweep.reporting.render.vega import vega_scripts

LONG_CELL = 30  # characters


def render_html(report: Report) -> str:
    """Return the page. Texts are escaped, and chart data cannot end the script that holds it."""
    specs = {chart.name: chart.spec for chart in report.charts}
    data = json.dumps(specs, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = _head(report) + "".join(
        f"<h2>{escape(section.title)}</h2>{''.join(map(_block, section.blocks))}"
        for section in report.sections
    )
    return Template(_read_resource("page.html")).substitute(
        title=escape(report.title),
        style=_read_resource("page.css"),
        body=body,
        scripts=vega_scripts().replace("</script", "<\\/script"),
        charts=data,
    )


def _read_resource(name: str) -> str:
    return (files("tangsweep.reporting.render") / name).read_text(encoding="utf-8")


def _head(report: Report) -> str:
    warnings = "".join(f"<p>{escape(warning)}</p>" for warning in report.warnings)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts)
    return (
        f'<h1>{escape(report.title)}</h1><p class="question">{escape(report.question)}</p>'
        + "".join(f'<p class="answer">{escape(answer)}</p>' for answer in report.answers)
        + (f'<div class="warnings" role="alert">{warnings}</div>' if warnings else "")
        + f"<dl>{facts}</dl>"
    )


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block)
        case Chart():
            place = f'<div class="scroll"><div id="{block.name}" class="chart"></div></div>'
            return f'<figure>{place}<p class="note">{escape(block.caption)}</p></figure>'
        case PoemBlock():
            poems = "".join(
                f"<div><h3>{escape(heading)}</h3><pre>{escape(poem)}</pre></div>"
                for heading, poem in block.poems
            )
            return f'<div class="poems">{poems}</div>'
        case _:
            return f"<p>{escape(block)}</p>"


def _table(table: Table) -> str:
    head, *rows = (
        "".join(
            f"<{tag}{_css_class(table, place, cell)}>{escape(cell)}</{tag}>" for place, cell in enumerate(row)
        )
        for tag, row in [("th", table.columns), *(("td", row) for row in table.rows)]
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}'
    )


def _css_class(table: Table, column: int, cell: str) -> str:
    if column >= table.text_columns:
        return ""
    return ' class="text long"' if len(cell) > LONG_CELL else ' class="text"'


def render_markdown(report: Report) -> str:
    """Return Markdown for a README or a pull request; charts are the picture files beside it."""
    parts = [f"# {_literal(report.title)}", f"*{_literal(report.question)}*"]
    parts += [f"**{_literal(answer)}**" for answer in report.answers]
    if report.warnings:
        parts.append("\n".join(f"> **Warning:** {_literal(warning)}  " for warning in report.warnings))
    parts.append("\n".join(f"- {_literal(name)}: {_literal(value)}" for name, value in report.facts))
    for section in report.sections:
        parts += [f"## {_literal(section.title)}", *map(block_markdown, section.blocks)]
    return "\n\n".join(parts) + "\n"


def block_markdown(block: Block) -> str:
    match block:
        case Table():
            rows = [block.columns, ["---"] * len(block.columns), *block.rows]
            lines = "\n".join(f"| {' | '.join(map(_literal, row))} |" for row in rows)
            return f"{lines}\n\n{_literal(block.note)}" if block.note else lines
        case Chart():
            return f"![{_literal(block.name)}](figures/{block.name}.png)\n\n{_literal(block.caption)}"
        case PoemBlock():
            return "\n\n".join(f"{_literal(heading)}:\n\n{_quote(poem)}" for heading, poem in block.poems)
        case _:
            return _literal(block)


def _quote(poem: str) -> str:
    return "\n".join(f"> {_literal(line)}  " if line else ">" for line in poem.split("\n"))


def _literal(text: str) -> str:
    """Escape what Markdown or HTML would interpret."""
    for sign in "\\`*_{}[]<>#|~$":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("\n", " ")
