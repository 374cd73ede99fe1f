"""Render a report as Markdown, for a README or a pull request."""

from tangsweep.printable import printable
from tangsweep.reporting.blocks import Answer, Block, Chart, PoemBlock, Report, RunConfigs, Section, Table


def render_markdown(report: Report) -> str:
    """Return the report; charts are the picture files beside it."""
    parts = [f"# {_literal(report.title)}", f"*{_literal(report.question)}*"]
    for answer in report.comparisons:
        parts += _answer(answer, named=len(report.comparisons) > 1)
    if report.warnings:
        parts.append("\n".join(f"> **Warning:** {_literal(warning)}  " for warning in report.warnings))
    parts.append("\n".join(f"- {_literal(name)}: {_literal(value)}" for name, value in report.facts))
    part = ""
    for section in report.sections:
        if section.part != part:
            part = section.part
            parts.append(f"## {_literal(part or 'All runs')}")
        parts += _section(section, level=3 if part else 2)
    return "\n\n".join(parts) + "\n"


def _answer(answer: Answer, named: bool) -> list[str]:
    parts = [f"## {_literal(answer.scored_on)}"] if named else []
    parts.append(f"**{_literal(answer.headline)}**")
    if answer.next_step:
        parts.append(f"Next: {_literal(answer.next_step)}")
    if answer.chart:
        parts.append(block_markdown(answer.chart))
    parts.append(_literal(answer.rests_on))
    return [*parts, " ".join(map(_literal, answer.details))]


def _section(section: Section, level: int) -> list[str]:
    blocks = [block for block in section.blocks if not isinstance(block, RunConfigs)]
    return [f"{'#' * level} {_literal(section.title)}", *map(block_markdown, blocks)]


def block_markdown(block: Block) -> str:
    match block:
        case Table():
            return _tables(block.without_empty_columns())
        case Chart():
            return f"![{_literal(block.name)}](figures/{block.name}.png)\n\n{_literal(block.caption)}"
        case PoemBlock():
            poems = [f"{_literal(heading)}:\n\n{_quote(poem)}" for heading, poem in block.poems]
            return "\n\n".join([*poems, _literal(block.caption)])
        case RunConfigs():
            return ""
        case _:
            return _literal(block)


def _tables(table: Table) -> str:
    """Return a table and its note; the optional columns become a second table."""
    first = [place for place, heading in enumerate(table.columns) if heading not in table.optional]
    others = [place for place, heading in enumerate(table.columns) if heading in table.optional]
    parts = [_lines(table, first), *([_literal(table.note)] if table.note else [])]
    if others:
        parts.append(_lines(table, [0, *others]))
    return "\n\n".join(parts)


def _lines(table: Table, places: list[int]) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(_literal(row[place]) for place in places)} |" for row in rows)


def _quote(poem: str) -> str:
    return "\n".join(f"> {_literal(line)}  " if line else ">" for line in poem.split("\n"))


def _literal(text: str) -> str:
    """Escape what Markdown, HTML or a terminal would interpret; between backticks it stays code."""
    text = printable(text)
    outside = text.split("`")
    if len(outside) % 2 == 0:  # a backtick without a partner is a character
        return _escape(text)
    return "".join(
        f"`{part.replace('|', chr(92) + '|')}`" if place % 2 else _escape(part)
        for place, part in enumerate(outside)
    ).replace("\n", " ")


def _escape(text: str) -> str:
    for sign in "\\`*_{}[]<>#|~$":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("\n", " ")
