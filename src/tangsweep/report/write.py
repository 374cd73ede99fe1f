"""report.html, report.md, tables/*.csv and figures/*, written beside the runs or wherever one wants them."""

from collections.abc import Sequence
from pathlib import Path

from tangsweep.errors import UserError
from tangsweep.files import atomic_write
from tangsweep.report.build import build
from tangsweep.report.data.collect import Collected, collect
from tangsweep.report.render import html, vega
from tangsweep.report.render.blocks import Chart, Report
from tangsweep.report.render.markdown import markdown


def made(folders: Sequence[Path]) -> tuple[Collected, Report]:
    """The report on the sweeps in `folders`. Raises UserError where a folder is missing or holds no run."""
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} does not exist: name the folder of a sweep, outputs/NAME")
    found = collect(folders)
    if found.runs.empty:
        named = ", ".join(map(str, folders))
        raise UserError(f"{named} holds no run: name the folder of a sweep, outputs/NAME")
    title = " and ".join(dict.fromkeys(folder.name for folder in folders))
    return found, build(found, title)


def write(report: Report, out: Path, pictures: bool = True) -> list[Path]:
    """The files, each whole or not at all. `pictures` False leaves out PNG and SVG."""
    files: dict[Path, bytes | str] = {
        out / "report.html": html.html(report),
        out / "report.md": markdown(report),
    }
    for name, table in report.tables.items():
        files[out / "tables" / f"{name}.csv"] = table.to_csv(index=False)
    charts = [part for section in report.sections for part in section.parts if isinstance(part, Chart)]
    for chart in charts if pictures else []:
        drawn = vega.svg(chart.spec)
        files[out / "figures" / f"{chart.name}.svg"] = drawn
        files[out / "figures" / f"{chart.name}.png"] = vega.png(drawn)
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{path.parent} cannot be made ({error.strerror}): name another with --out"
            ) from error
        atomic_write(path, content)
    return list(files)
