"""Pictures of charts: the lines of a layer share one clipping path."""

import re

import altair as alt
import pandas as pd

from tangsweep.reporting.blocks import Chart
from tangsweep.reporting.render.vega import draw_svg, svg_to_png


def test_clipped_lines_share_one_path() -> None:
    """Each clipped element costs a picture of the whole size: a thousand lines took minutes."""
    rows = pd.DataFrame(
        [(line, x, line * x) for line in range(40) for x in (0, 1)], columns=["line", "x", "y"]
    )
    lines = alt.Chart(rows).mark_line(clip=True).encode(
        x="x:Q", y=alt.Y("y:Q", scale=alt.Scale(domain=[0, 10])), detail="line:N"
    )  # fmt: skip
    chart = Chart.from_altair("lines", "", alt.layer(lines, lines))
    svg = draw_svg(chart.spec)
    assert svg.count('class="mark-line role-mark') == 80
    assert svg.count(' clip-path="') == 2
    [*clipped] = re.findall(r'<g class="([^"]*)" clip-path="url\(#(\w+)\)"', svg)
    assert all(name.endswith("_pathgroup") and f'<clipPath id="{clip}">' in svg for name, clip in clipped)
    assert svg_to_png(svg).startswith(b"\x89PNG")
