"""Give each group one style in every chart: a colour and, from the ninth group on, a dash pattern."""

import re
from collections.abc import Iterable, Sequence

import altair as alt

# Okabe and Ito's palette (2008) for all kinds of colour vision; its yellow is darkened, for white paper.
# Its black is grey here, which shows on white and on dark paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a800", "#7b8391")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4], [4, 1, 1, 1], [3, 6])
LEGEND_COLUMNS = 6
SHADES = (0.0, 0.4, -0.35, 0.65, -0.6)  # of later rounds of the palette: towards white, or towards black
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def natural_sort_key(name: str) -> list[tuple[float, str]]:
    """Sort `length=5` before `length=10`, and `lr=0.001` before `lr=0.01`."""
    parts = NUMBER.split(name)
    return [(float(part), "") if place % 2 else (-1.0, part) for place, part in enumerate(parts)]


def _palette_colour(place: int) -> str:
    """Return a colour; each round of the palette has another shade."""
    shade = SHADES[place // len(COLOURS) % len(SHADES)]
    channels = (int(COLOURS[place % len(COLOURS)][start : start + 2], 16) for start in (1, 3, 5))
    target = 255 if shade > 0 else 0
    return "#" + "".join(f"{round(value + (target - value) * abs(shade)):02x}" for value in channels)


class GroupStyle:
    """Order, colours and dashes of a chart's groups as Altair encodings.

    `all_groups` are those of the whole report, so that a group looks the same in each of its charts; they are
    ignored where they are other ones, as with tuned values.
    `ranked` is the order of the legend; without it names are sorted.
    """

    def __init__(
        self,
        groups: Iterable[str],
        all_groups: Iterable[str] | None = None,
        ranked: Sequence[str] | None = None,
    ) -> None:
        by_name = sorted(set(groups), key=natural_sort_key)
        self.groups = by_name if ranked is None else sorted(by_name, key=list(ranked).index)
        every = set() if all_groups is None else set(all_groups)
        ordered = sorted(every, key=natural_sort_key) if every >= set(by_name) else by_name
        self._place = {group: place for place, group in enumerate(ordered)}

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each group."""
        return {group: _palette_colour(self._place[group]) for group in self.groups}

    @property
    def line_colour(self) -> alt.Color:
        return self._colour(self._legend())

    @property
    def fill_colour(self) -> alt.Color:
        return self._colour(self._legend(filled=True))

    @property
    def dash(self) -> alt.StrokeDash | alt.StrokeDashValue:
        """Solid lines where colours are enough."""
        if len(self._place) <= len(COLOURS):
            return alt.StrokeDashValue([1, 0])
        dashes = [list(DASHES[self._place[g] // len(COLOURS) % len(DASHES)]) for g in self.groups]
        return alt.StrokeDash(
            "group:N",
            title=None,
            sort=self.groups,
            legend=self._legend(),
            scale=alt.Scale(domain=self.groups, range=dashes),
        )

    @property
    def colour_without_legend(self) -> alt.Color:
        return self._colour(None)

    def _colour(self, legend: alt.Legend | None) -> alt.Color:
        return alt.Color(
            "group:N",
            title=None,
            sort=self.groups,
            legend=legend,
            scale=alt.Scale(domain=self.groups, range=list(self.colours.values())),
        )

    def _legend(self, filled: bool = False) -> alt.Legend:
        """One legend for colours and dashes; its strokes are long enough to distinguish dash patterns."""
        return alt.Legend(
            symbolLimit=0,
            orient="top",
            columns=LEGEND_COLUMNS,
            labelFontSize=13,
            labelLimit=260,
            symbolType="square" if filled else "stroke",
            symbolSize=160 if filled else 500,
            symbolStrokeWidth=2.5,
        )
