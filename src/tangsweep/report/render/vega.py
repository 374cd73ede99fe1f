"""Vega-Lite specifications as pictures, and the scripts that draw them in a page. No browser, no network."""

import json
from importlib.metadata import version
from typing import Any

import vl_convert

from tangsweep.files import atomic_write, data_folder

SCALE = 2  # pixels a point, of PNG


def png(drawn: str) -> bytes:
    """Of an SVG, as `svg` draws it."""
    found: bytes = vl_convert.svg_to_png(drawn, scale=SCALE)
    return found


def svg(spec: dict[str, Any]) -> str:
    found: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    return found


def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one text; bundled once a version (2 s), from the cache then."""
    path = data_folder() / "cache" / f"vega-{version('vl-convert-python')}.js"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return path.read_text(encoding="utf-8")
