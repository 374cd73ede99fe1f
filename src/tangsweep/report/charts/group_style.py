"""One look for each group, the same in every chart: a colour, and from the ninth group on a dash as well."""

import re
from collections.abc import Iterable
from typing import Any

import altair as alt

# Okabe and Ito's palette (2008), told apart whatever colours one sees; its yellow is made darker, for white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a800", "#000000")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4], [4, 1, 1, 1], [3, 6])


NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def natural(name: str) -> list[tuple[float, str]]:
    """Sorts `length=5` before `length=10`, and `lr=0.001` before `lr=0.01`."""
    parts = NUMBER.split(name)
    return [(float(part), "") if place % 2 else (-1.0, part) for place, part in enumerate(parts)]


class GroupStyle:
    """The order and the looks of groups; `among` are all that a report tells apart, with these among them."""

    def __init__(self, groups: Iterable[str], among: Iterable[str] | None = None) -> None:
        self.groups = sorted(set(groups), key=natural)
        everywhere = self.groups if among is None else sorted(set(among), key=natural)
        self._place = {group: place for place, group in enumerate(everywhere)}

    @property
    def shades(self) -> dict[str, str]:
        """Group → its colour."""
        return {group: COLOURS[self._place[group] % len(COLOURS)] for group in self.groups}

    def _legend(self, filled: bool = False) -> alt.Legend:
        """One for colours and dashes, drawn as strokes that are long enough to tell dashes apart."""
        columns = 1 + (len(self.groups) - 1) // 20
        return alt.Legend(
            symbolLimit=0,
            columns=columns,
            labelLimit=260,
            symbolType="square" if filled else "stroke",
            symbolSize=160 if filled else 500,
            symbolStrokeWidth=2.5,
        )

    @property
    def fill(self) -> alt.Color:
        """Of marks without a stroke."""
        return self._colour(self._legend(filled=True))

    @property
    def colour(self) -> alt.Color:
        return self._colour(self._legend())

    def _colour(self, legend: alt.Legend) -> alt.Color:
        return alt.Color(
            "group:N",
            title=None,
            sort=self.groups,
            legend=legend,
            scale=alt.Scale(domain=self.groups, range=list(self.shades.values())),
        )

    @property
    def dash(self) -> Any:
        """Nothing where colours are enough."""
        if len(self._place) <= len(COLOURS):
            return alt.value([1, 0])
        dashes = [list(DASHES[self._place[g] // len(COLOURS) % len(DASHES)]) for g in self.groups]
        return alt.StrokeDash(
            "group:N",
            title=None,
            sort=self.groups,
            legend=self._legend(),
            scale=alt.Scale(domain=self.groups, range=dashes),
        )
