"""Variances by source: exact where sources add up, against loops, and on simulated designs."""

import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.reporting.analysis.variance_sources import (
    INITIALIZATION,
    INITIALIZATION_AND_ORDER,
    ORDER,
    SPLIT,
    shared_loss_column,
    source_values,
    variance_component,
    variance_table,
)
from tangsweep.reporting.data.run_files import FlatConfig

SOURCES = [INITIALIZATION, ORDER, SPLIT]
CELLS = st.lists(
    st.tuples(*[st.integers(0, 2)] * 3, st.floats(-10, 10, allow_subnormal=False)), min_size=1, max_size=20
)


def design(*sizes: int) -> pd.DataFrame:
    """Return a crossed design: one row per combination of values, which are text."""
    rows = list(itertools.product(*(map(str, range(size)) for size in sizes)))
    return pd.DataFrame(rows, columns=SOURCES, index=[f"run {number}" for number in range(len(rows))])


def test_sources_that_add_up_are_measured_exactly() -> None:
    generator = np.random.default_rng(0)
    sources = design(5, 4, 3)
    effects = {source: generator.normal(0, 1, sources[source].nunique()) for source in SOURCES}
    losses = sum(sources[source].map(lambda v, s=source: effects[s][int(v)]) for source in SOURCES)
    assert isinstance(losses, pd.Series)
    for source, (sets, runs) in zip(SOURCES, [(12, 60), (15, 60), (20, 60)], strict=True):
        part = variance_component(losses, sources, source)
        assert part.variance == pytest.approx(effects[source].var(ddof=1))
        assert part[1:] == (sets, runs)


def test_simulated_components_with_interactions() -> None:
    """Each source's expectation is its component plus that of the interaction and the rest."""
    generator = np.random.default_rng(1)
    sources, components = design(4, 3, 3), {INITIALIZATION: 0.04, ORDER: 0.01, SPLIT: 0.09}
    interaction, rest = 0.02, 0.0025  # the interaction is of initialization and split
    estimates: dict[str, list[float]] = {source: [] for source in SOURCES}
    for _ in range(150):
        losses = pd.Series(generator.normal(3, math.sqrt(rest), len(sources)), sources.index)
        for source, variance in components.items():
            losses += sources[source].map(dict(zip("0123", generator.normal(0, math.sqrt(variance), 4))))  # noqa: B905
        pairs = dict(zip(itertools.product("0123", "012"), generator.normal(0, math.sqrt(interaction), 12)))  # noqa: B905
        losses += [pairs[pair] for pair in zip(sources[INITIALIZATION], sources[SPLIT])]  # noqa: B905
        for source in SOURCES:
            estimates[source].append(variance_component(losses, sources, source).variance)
    expected = {INITIALIZATION: 0.04 + 0.02 + rest, ORDER: 0.01 + rest, SPLIT: 0.09 + 0.02 + rest}
    for source, values in estimates.items():
        standard_error = statistics.stdev(values) / math.sqrt(len(values))
        assert statistics.fmean(values) == pytest.approx(expected[source], abs=3 * standard_error)
        assert 3 * standard_error < 0.3 * expected[source]


@given(CELLS)
def test_unbalanced_designs_against_loops(rows: list[tuple[int, int, int, float]]) -> None:
    """Squared distances from the mean of each set; runs that are equal in all sources are averaged first."""
    table = pd.DataFrame(rows, columns=[*SOURCES, "loss"])
    sources, losses = table[SOURCES].astype(str), table["loss"]
    for place, source in enumerate(SOURCES):
        by_cell: dict[tuple[int, ...], list[float]] = {}
        for row in rows:
            by_cell.setdefault(row[:3], []).append(row[3])
        by_set: dict[tuple[int, ...], list[float]] = {}
        for cell, values in by_cell.items():
            by_set.setdefault(cell[:place] + cell[place + 1 :], []).append(sum(values) / len(values))
        several = [values for values in by_set.values() if len(values) > 1]
        squares = sum((value - sum(v) / len(v)) ** 2 for v in several for value in v)
        degrees_of_freedom = sum(len(v) - 1 for v in several)
        ours = variance_component(losses, sources, source)
        assert ours[1:] == (len(several), sum(map(len, several)))
        if several:
            assert ours.variance == pytest.approx(squares / degrees_of_freedom, abs=1e-9)
        else:
            assert math.isnan(ours.variance)


def test_the_order_follows_the_seed_where_its_key_is_null_or_missing() -> None:
    configs: dict[str, FlatConfig] = {
        "a": {"seed": 0, "order_seed": None, "data.split_seed": 5},
        "b": {"seed": 1, "data.split_seed": None},
        "c": {"seed": 1, "order_seed": 0},
    }
    together = source_values(configs, ["a", "b"])
    assert together.columns.tolist() == [INITIALIZATION_AND_ORDER, SPLIT]
    assert together.to_numpy().tolist() == [["0", "5"], ["1", "None"]]
    apart = source_values(configs, ["a", "b", "c"])
    assert apart.columns.tolist() == SOURCES
    assert apart[ORDER].tolist() == ["0", "1", "0"]
    configs["b"]["order_seed"] = 1  # as good as null
    assert source_values(configs, ["a", "b"]).equals(together)


def test_shares_are_of_the_measured_sources_and_failed_runs_do_not_count() -> None:
    """By hand: splits differ by 2 (variance 2), seeds by 1 (variance ½)."""
    rows = [("a", 0, 0, 1.0), ("b", 1, 0, 2.0), ("c", 0, 1, 3.0), ("d", 1, 1, 4.0), ("e", 2, 1, 99.0)]
    runs = pd.DataFrame(
        [(run, "done", loss) for run, _, _, loss in rows], columns=["run", "status", "dev_loss"]
    )
    runs.loc[4, "status"] = "diverged"
    configs: dict[str, FlatConfig] = {run: {"seed": s, "data.split_seed": p} for run, s, p, _ in rows}
    table = variance_table(runs, configs, dict.fromkeys("abcde", "all"), "dev_loss")
    assert table["source"].tolist() == [INITIALIZATION_AND_ORDER, SPLIT]
    assert table["variance"].tolist() == [0.5, 2.0]
    assert table["standard_deviation"].tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(2)])
    assert table["share"].tolist() == [0.2, 0.8]
    assert table["sets"].tolist() == [2, 2] and table["runs"].tolist() == [4, 4]


def test_a_group_with_one_varied_source_is_left_out() -> None:
    runs = pd.DataFrame({"run": ["a", "b"], "status": "done", "dev_loss": [1.0, 2.0]})
    configs: dict[str, FlatConfig] = {"a": {"seed": 0}, "b": {"seed": 1}}
    assert variance_table(runs, configs, {"a": "x", "b": "x"}, "dev_loss").empty


def test_the_loss_is_the_first_that_all_scored_runs_have() -> None:
    runs = pd.DataFrame({"dev_known_loss": [1.0, 2.0], "dev_loss": [1.0, 2.0], "test_loss": [1.0, None]})
    assert shared_loss_column(runs) == "dev_known_loss"
    assert shared_loss_column(runs.assign(test_loss=3.0)) == "test_loss"
    assert shared_loss_column(runs.assign(test_known_loss=3.0, test_loss=3.0)) == "test_known_loss"
    assert shared_loss_column(runs.assign(dev_known_loss=[1.0, math.inf])) == "dev_loss"
    assert shared_loss_column(runs.iloc[:0]) is None
