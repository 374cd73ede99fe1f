"""Draw Vega-Lite specifications as pictures, and bundle the scripts that draw them in a page."""

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import NamedTuple

import vl_convert

from tangsweep import machine
from tangsweep.files import atomic_write, data_folder
from tangsweep.reporting.blocks import Chart, VegaLiteSpec

PIXELS_PER_POINT = 2
CLIPPED_LINE = re.compile(r'(<g class="mark-\w+ role-mark (\S+)_marks") clip-path="(url\(#\w+\))"')


def warm_up() -> None:
    """Start vl-convert's JavaScript engine and read its fonts, half a second, before a chart is drawn."""
    svg_to_png(
        draw_svg({"data": {"values": [{"x": 0}]}, "mark": "text", "encoding": {"text": {"field": "x"}}})
    )


class Picture(NamedTuple):
    """A chart as a file of each kind."""

    name: str
    svg: str
    png: bytes


def draw_pictures(charts: Sequence[Chart]) -> list[Picture]:
    """Draw every chart, several at once: vl-convert works without holding Python's lock."""
    with ThreadPoolExecutor(machine.usable_cores()) as threads:
        vectors = list(threads.map(draw_svg, [chart.spec for chart in charts]))
        pixels = list(threads.map(svg_to_png, vectors))
    return [Picture(chart.name, svg, png) for chart, svg, png in zip(charts, vectors, pixels, strict=True)]


def draw_svg(spec: VegaLiteSpec) -> str:
    picture: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    return _clip_lines_together(picture)


def _clip_lines_together(svg: str) -> str:
    """Let the lines of a layer share one clipping path.

    Vega clips every line by itself, and each clipped element costs a picture of the whole size when a PNG is
    made: a thousand lines took minutes.
    """
    clips = {name: clip for _, name, clip in CLIPPED_LINE.findall(svg) if f" {name}_pathgroup" in svg}
    svg = CLIPPED_LINE.sub(lambda line: line[1] if line[2] in clips else line[0], svg)
    for name, clip in clips.items():
        group = f'<g class="mark-group role-scope {name}_pathgroup"'
        svg = svg.replace(group, f'{group} clip-path="{clip}"')
    return svg


def svg_to_png(svg: str) -> bytes:
    picture: bytes = vl_convert.svg_to_png(svg, scale=PIXELS_PER_POINT)
    return picture


def vega_scripts() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one text, bundled once per version (2 s) and then cached."""
    path = data_folder() / "cache" / f"vega-{version('vl-convert-python')}.js"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return path.read_text(encoding="utf-8")
