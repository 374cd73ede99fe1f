"""Render a report as Markdown, for a README or a pull request; charts are the picture files beside it."""

from tangsweep.report.blocks import Block, Chart, PoemBlock, Report, Table


def render_markdown(report: Report) -> str:
    parts = [f"# {_escape(report.title)}", f"*{_escape(report.question)}*"]
    parts += [f"**{_escape(answer)}**" for answer in report.answers]
    if report.warnings:
        parts.append("\n".join(f"> **Warning:** {_escape(warning)}  " for warning in report.warnings))
    parts.append("\n".join(f"- {_escape(name)}: {_escape(value)}" for name, value in report.facts))
    for section in report.sections:
        parts += [f"## {_escape(section.title)}", *map(block_markdown, section.blocks)]
    return "\n\n".join(parts) + "\n"


def block_markdown(block: Block) -> str:
    match block:
        case Table():
            rows = [block.columns, ["---"] * len(block.columns), *block.rows]
            lines = "\n".join(f"| {' | '.join(map(_escape, row))} |" for row in rows)
            return f"{lines}\n\n{_escape(block.note)}" if block.note else lines
        case Chart():
            return f"![{_escape(block.name)}](figures/{block.name}.png)\n\n{_escape(block.caption)}"
        case PoemBlock():
            return "\n\n".join(f"{_escape(heading)}:\n\n{_quote(poem)}" for heading, poem in block.poems)
        case _:
            return _escape(block)


def _quote(poem: str) -> str:
    return "\n".join(f"> {_escape(line)}  " if line else ">" for line in poem.split("\n"))


def _escape(text: str) -> str:
    """Escape what Markdown or HTML would interpret."""
    for sign in "\\`*_{}[]<>#|~$":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("&", "&amp;").replace("\n", " ")
