"""Groups hold every batch once, in order, and end wherever a callback acts."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.training.step_groups import LONGEST_GROUP, StepGroups
from tests.conftest import Ran


@given(
    st.integers(1, 200), st.integers(0, 90), st.lists(st.integers(1, 70), min_size=1, max_size=3),
    st.none() | st.integers(0, 300),
)  # fmt: skip
def test_every_batch_once_and_a_stop_where_it_is_due(
    batches: int, step: int, periods: list[int], last: int | None
) -> None:
    numbers: Any = range(step + 1, step + batches + 1)  # the step that each batch is for
    groups = StepGroups(numbers, step, periods, last)
    drawn = list(groups)
    made = [number for group in drawn for number in group]
    assert made == [n for n in numbers if last is None or n <= last]
    assert len(groups) == len(drawn) and all(0 < len(group) <= LONGEST_GROUP for group in drawn)
    ends = set(accumulate((len(group) for group in drawn), initial=step))
    assert {n for n in made if any(n % period == 0 for period in periods)} <= ends


@pytest.mark.parametrize("every", [1, 3, 100])
def test_how_often_is_logged_does_not_change_what_is_trained(train: Callable[..., Ran], every: int) -> None:
    options = ("trainer.max_steps=18", "trainer.gradient_clip_val=0.5", "model.dropout=0.2")
    plain, other = (train(*options, f"trainer.log_every={n}", f"sweep.name=n{n}").folder for n in (10, every))
    ours, theirs = (torch.load(f.last, weights_only=True)["state_dict"] for f in (plain, other))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    rows = pd.read_csv(other.metrics)
    logged = rows[rows["train/grad_norm"].notna()]["step"].tolist()
    assert logged == sorted({1, *range(every, 19, every)})


def test_the_gradients_norm_is_before_clipping(train: Callable[..., Ran]) -> None:
    free, clipped = (
        pd.read_csv(
            train(
                "trainer.max_steps=1", "trainer.log_every=1", f"trainer.gradient_clip_val={v}"
            ).folder.metrics
        )
        for v in ("null", "0.001")
    )
    norms = [rows["train/grad_norm"].dropna().item() for rows in (free, clipped)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-6) and norms[1] > 0.01
