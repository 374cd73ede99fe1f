"""Draw Vega-Lite specifications as pictures, and bundle the scripts that draw them in a page."""

import json
from importlib.metadata import version

import vl_convert

from tangsweep.files import atomic_write, data_folder
from tangsweep.reporting.blocks import VegaLiteSpec

PIXELS_PER_POINT = 2


def draw_svg(spec: VegaLiteSpec) -> str:
    picture: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    return picture


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
