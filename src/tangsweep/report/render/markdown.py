"""A report as Markdown, for a README or a pull request; charts are the pictures beside it."""

from tangsweep.report.render.blocks import Block, Chart, Report, Table, Verses


def markdown(report: Report) -> str:
    parts = [f"# {_plain(report.title)}", f"*{_plain(report.question)}*"]
    parts += [f"**{_plain(answer)}**" for answer in report.answers]
    if report.warnings:
        parts.append("\n".join(f"> **Warning:** {_plain(warning)}  " for warning in report.warnings))
    parts.append("\n".join(f"- {_plain(name)}: {_plain(value)}" for name, value in report.facts))
    for section in report.sections:
        parts += [f"## {_plain(section.title)}", *map(written, section.parts)]
    return "\n\n".join(parts) + "\n"


def written(part: Block) -> str:
    """A table, a chart's picture, poems or a paragraph."""
    match part:
        case Table():
            rows = [part.columns, ["---"] * len(part.columns), *part.rows]
            lines = "\n".join(f"| {' | '.join(map(_plain, row))} |" for row in rows)
            return f"{lines}\n\n{_plain(part.note)}" if part.note else lines
        case Chart():
            return f"![{_plain(part.name)}](figures/{part.name}.png)\n\n{_plain(part.caption)}"
        case Verses():
            return "\n\n".join(f"{_plain(title)}:\n\n{_quoted(text)}" for title, text in part.poems)
        case _:
            return _plain(part)


def _quoted(text: str) -> str:
    return "\n".join(f"> {_plain(line)}  " if line else ">" for line in text.split("\n"))


def _plain(text: str) -> str:
    """Nothing that Markdown or HTML would take for its own."""
    for sign in "\\`*_{}[]<>#|~$":
        text = text.replace(sign, f"\\{sign}")
    text = text.replace("&", "&amp;")
    return text.replace("\n", " ")
