"""Give each compared value one colour in every chart, and its settings shades and dash patterns."""

import re
from collections.abc import Iterable, Mapping, Sequence

import altair as alt
import pandas as pd

# Okabe and Ito's palette (2008) for all kinds of colour vision; its yellow is darkened, for white paper.
# Its black is grey here, which shows on white and on dark paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a800", "#7b8391")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4], [4, 1, 1, 1], [3, 6])
LEGEND_COLUMNS = 6
MOST_NAMES = 30  # in a legend, those of the best groups; a page of names hides the picture
DARKEST, LIGHTEST = -0.4, 0.5  # of the settings of one value
SHADES = (0.0, 0.4, -0.35, 0.65, -0.6)  # of later rounds of the palette: towards white, or towards black
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def natural_sort_key(name: str) -> list[tuple[float, str]]:
    """Sort `length=5` before `length=10`, and `lr=0.001` before `lr=0.01`."""
    parts = NUMBER.split(name)
    return [(float(part), "") if place % 2 else (-1.0, part) for place, part in enumerate(parts)]


def _palette_colour(place: int) -> str:
    """Return a colour; each round of the palette has another shade."""
    return _shaded(COLOURS[place % len(COLOURS)], SHADES[place // len(COLOURS) % len(SHADES)])


def _shaded(colour: str, shade: float) -> str:
    """Mix a colour with white (`shade` up to 1) or with black (down to −1)."""
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    target = 255 if shade > 0 else 0
    return "#" + "".join(f"{round(value + (target - value) * abs(shade)):02x}" for value in channels)


class GroupStyle:
    """Order, colours and dashes of a chart's groups as Altair encodings.

    A colour stands for a compared value, such as an optimizer, in all charts of a page: `all_values` are
    those of the whole report, and are ignored where the chart's are other ones. Groups of one value
    (`value_of`) have shades of its colour and dashes.
    `ranked` is the order of the legend; without it names are sorted.
    """

    def __init__(
        self,
        groups: Iterable[str],
        all_values: Iterable[str] = (),
        ranked: Sequence[str] | None = None,
        value_of: Mapping[str, str] | None = None,
    ) -> None:
        by_name = sorted(set(groups), key=natural_sort_key)
        self.groups = by_name if ranked is None else sorted(by_name, key=list(ranked).index)
        value_of = {group: group for group in by_name} if value_of is None else value_of
        members: dict[str, list[str]] = {}
        for group in by_name:
            members.setdefault(value_of[group], []).append(group)
        every = set(all_values)
        ordered = sorted(every if every >= members.keys() else members, key=natural_sort_key)
        self._place = {group: ordered.index(value_of[group]) for group in by_name}
        self._setting = {g: (place, len(same)) for same in members.values() for place, g in enumerate(same)}

    @classmethod
    def of_runs(
        cls, runs: pd.DataFrame, values: Mapping[str, str], ranked: Sequence[str] | None = None
    ) -> "GroupStyle":
        """Return the style of the groups of `runs`; `values` are what all runs of the report stand for."""
        value_of = {
            group: values.get(run, group) for run, group in zip(runs["run"], runs["group"], strict=True)
        }
        return cls(runs["group"], values.values(), ranked, value_of)

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each group."""
        return {group: self._colour_of(group) for group in self.groups}

    def _colour_of(self, group: str) -> str:
        colour, (place, count) = _palette_colour(self._place[group]), self._setting[group]
        return colour if count < 2 else _shaded(colour, DARKEST + (LIGHTEST - DARKEST) * place / (count - 1))

    @property
    def line_colour(self) -> alt.Color:
        return self._colour(self._legend())

    @property
    def fill_colour(self) -> alt.Color:
        return self._colour(self._legend(filled=True))

    @property
    def dash(self) -> alt.StrokeDash | alt.StrokeDashValue:
        """Solid lines where colours are enough."""
        numbers = {g: self._place[g] // len(COLOURS) + self._setting[g][0] for g in self.groups}
        if not any(numbers.values()):
            return alt.StrokeDashValue([1, 0])
        dashes = [list(DASHES[number % len(DASHES)]) for number in numbers.values()]
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
            symbolLimit=MOST_NAMES,
            orient="top",
            columns=LEGEND_COLUMNS,
            labelFontSize=13,
            labelLimit=260,
            symbolType="square" if filled else "stroke",
            symbolSize=160 if filled else 500,
            symbolStrokeWidth=2.5,
        )
