"""Groups hold every batch once, in order, and end wherever a callback acts."""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.training import step_groups
from tangsweep.training.assemble import build_module
from tangsweep.training.group_loader import StepGroups
from tangsweep.training.step_groups import LONGEST_GROUP, StepGroupModule
from tests.conftest import DIVERGES_IN_EPOCH_2, QUIET, SMALL, Ran, configured, prepare


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


def train_in_groups(train: Callable[..., Ran], name: str, *options: str) -> tuple[Ran, list[int]]:
    """A run, and the lengths of its groups."""
    lengths: list[int] = []
    real = StepGroupModule.training_step

    def counted(self: StepGroupModule, group: list[Any], batch_idx: int) -> Any:
        lengths.append(len(group))
        return real(self, group, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StepGroupModule, "training_step", counted)
        return train(*options, f"sweep.name={name}"), lengths


@pytest.mark.parametrize(
    "options",
    [
        ("trainer.max_epochs=3", "trainer.log_every=2", "trainer.gradient_clip_val=0.5"),
        ("trainer.max_epochs=3", "trainer.log_every=2", *DIVERGES_IN_EPOCH_2),
        ("trainer.max_epochs=4", "trainer.max_steps=23", "trainer.log_every=4"),
    ],
)
def test_groups_that_span_rows_change_nothing(
    train: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Not the rows, and not the step at which a run that diverges ends."""
    runs = []
    for name, seconds in (("short", 0.0), ("long", 1e9)):
        monkeypatch.setattr(step_groups, "GROUP_SECONDS", seconds)
        runs.append(train_in_groups(train, name, *options))
    (short, short_lengths), (long, long_lengths) = runs
    assert max(short_lengths) <= 4 < max(long_lengths)
    timed = ["seconds", "characters_per_second"]
    ours, theirs = (pd.read_csv(run.folder.metrics).drop(columns=timed) for run in (short, long))
    pd.testing.assert_frame_equal(ours, theirs)
    for key in ("status", "steps", "epochs", "diverged_step", "last_finite_loss", "dev"):
        assert short.result.get(key) == long.result.get(key), key


@pytest.mark.parametrize(
    ("options", "direct"),
    [
        ((), True),
        (("model.dropout=0.1",), False),
        (("cell=gru",), False),
        (("trainer.precision=bf16-mixed",), False),
    ],
)
def test_autograd_is_left_out_where_it_can_be(
    train: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], direct: bool
) -> None:
    calls: list[int] = []
    real = step_groups.loss_and_gradients
    monkeypatch.setattr(step_groups, "loss_and_gradients", lambda *a: (calls.append(1), real(*a))[1])
    run = train("trainer.max_epochs=1", *options)
    assert len(calls) == (run.result["steps"] if direct else 0)


@pytest.mark.parametrize("cell", ["lstm", "rnn"])  # without autograd, and with it
def test_a_loss_summed_over_sequences(train: Callable[..., Ran], cell: str) -> None:
    options = (
        *SMALL, *QUIET, f"cell={cell}", "trainer.loss=sum", "trainer.precision=64-true", "optimizer=sgd",
        "optimizer.lr=0.05", "data.batch_size=3", "trainer.gradient_clip_val=2", "trainer.max_epochs=1",
        "init=uniform",
    )  # fmt: skip
    run = prepare(configured(*options), [])
    batches = run.task.batches(run.encoded, run.config)
    model = build_module(run, batches.pad).model.double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for batch in batches.train_batches(0):
        optimizer.zero_grad()
        logits, _ = model(batch.inputs, batch.times)
        nats = F.cross_entropy(
            logits.flatten(0, 1), batch.targets.flatten(), ignore_index=-1, reduction="sum"
        )
        (nats / len(batch.targets)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2)
        optimizer.step()
    ran = train(base=options)
    trained = torch.load(ran.folder.last, weights_only=True)["state_dict"]
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(trained[f"model.{name}"], weight, rtol=0, atol=1e-9)
    first = pd.read_csv(ran.folder.metrics)["train/loss"].dropna().iloc[0]
    assert first == pytest.approx(math.log(run.encoded.inputs), rel=0.05)  # the mean, whatever is minimized
