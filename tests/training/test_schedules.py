"""Schedules of real runs, against torch's own that are stepped in a plain loop."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tangsweep.errors import UserError
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.state import State, run_state
from tangsweep.training import assemble
from tangsweep.training.optimizer_factories import optimizer_factories
from tests.conftest import QUIET, SMALL, Ran, configured, parsed, prepare
from tests.training.test_resume import same, stop_after

Train = Callable[..., Ran]
COSINE = (*SMALL, *QUIET, "scheduler=cosine", "trainer.log_every=1")
BOOK = (
    "corpus=book", "corpus.path=tale.txt", "data.seq_len=7", "data.batch_size=3", "model.hidden_size=8",
    "model.embed_size=8", "samples.every=null", "logger=csv", "scheduler=cosine", "trainer.max_epochs=99", "trainer.log_every=1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def tale(home: Path) -> None:
    (home / "tale.txt").write_text("Once upon a time there were three little pigs. " * 9, encoding="utf-8")


def rates(folder: RunFolder) -> list[float]:
    """The learning rate of every optimizer step."""
    rows = pd.read_csv(folder.metrics).dropna(subset="lr")
    assert rows["step"].tolist() == list(range(1, len(rows) + 1))
    values: list[float] = rows["lr"].tolist()
    return values


def plain_rates(steps: int, lr: float, eta_min: float = 0.0) -> list[float]:
    """The rates of torch's cosine schedule that is stepped after every optimizer step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=eta_min)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return values


LENGTHS: dict[str, tuple[tuple[str, ...], int, int]] = {
    # base, optimizer steps, epochs that begin
    "one poem a step": ((*COSINE, "trainer.max_epochs=99", "trainer.max_steps=25"), 25, 3),
    "five poems a step": (
        (*COSINE, "data.batch_size=5", "trainer.max_epochs=99", "trainer.max_steps=25"),
        25,
        13,
    ),
    "within the first epoch": ((*COSINE, "trainer.max_epochs=99", "trainer.max_steps=6"), 6, 1),
    "book, five steps an epoch": ((*BOOK, "trainer.val_every=5", "trainer.max_steps=23"), 23, 5),
    "book, ten steps an epoch": ((*BOOK, "trainer.val_every=10", "trainer.max_steps=23"), 23, 3),
}


class TestCosineOverSteps:
    @pytest.mark.parametrize("base, steps, epochs", LENGTHS.values(), ids=LENGTHS)
    def test_falls_over_the_steps_of_the_run_whatever_the_length_of_its_epochs(
        self, train: Train, base: tuple[str, ...], steps: int, epochs: int
    ) -> None:
        result, folder = train("optimizer.lr=0.02", base=base)
        assert (result["status"], result["steps"]) == ("done", steps)
        assert pd.read_csv(folder.metrics)["epoch"].max() == epochs
        ours = rates(folder)
        assert ours == plain_rates(steps, 0.02)
        by_hand = [0.01 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)]
        assert ours == pytest.approx(by_hand, rel=1e-9)
        assert ours[0] == 0.02
        assert all(after < before for before, after in pairwise(ours))
        # One step before the schedule's end: lr/2 · (1 − cos(π/steps))
        assert ours[-1] == pytest.approx(0.02 * math.pi**2 / 4 / steps**2, rel=0.1)

    @pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
    @pytest.mark.parametrize("cell", ["lstm", "numpy_lstm"])
    def test_down_to_eta_min_with_every_optimizer(self, train: Train, optimizer: str, cell: str) -> None:
        options = [f"optimizer={optimizer}", f"cell={cell}", "optimizer.lr=0.02", "scheduler.eta_min=0.005"]
        folder = train(*options, "trainer.max_epochs=99", "trainer.max_steps=20", base=COSINE).folder
        assert rates(folder) == plain_rates(20, 0.02, 0.005)
        assert 0.005 < rates(folder)[-1] < 0.0052

    def test_over_the_epochs_where_they_end_the_run_first(self, train: Train) -> None:
        result, folder = train("trainer.max_epochs=2", "trainer.max_steps=1000", base=COSINE)
        steps = 2 * result["corpus"]["sequences"]["train"]
        assert result["steps"] == steps < 100
        assert rates(folder) == plain_rates(steps, 0.01)

    @pytest.mark.parametrize("base", [COSINE, BOOK], ids=["poems", "book"])
    def test_without_a_number_of_epochs(self, train: Train, base: tuple[str, ...]) -> None:
        options = ["trainer.max_epochs=null", "trainer.max_steps=12", "optimizer.lr=0.01"]
        if base == BOOK:
            options.append("trainer.val_every=5")
        assert rates(train(*options, base=base).folder) == plain_rates(12, 0.01)

    @pytest.mark.parametrize("clip", [0.01, 0.02])
    def test_the_weights_move_by_that_rate(self, train: Train, clip: float) -> None:
        """SGD with gradients that are clipped moves by rate times the clipped norm: two steps."""
        options = [
            "optimizer=sgd",
            "optimizer.lr=0.5",
            "trainer.max_epochs=99",
            f"trainer.gradient_clip_val={clip}",
        ]
        start = assemble.build_module(prepare(configured(*COSINE, *options)), None).model.state_dict()
        folder = train(*options, "trainer.max_steps=2", base=COSINE).folder
        after = torch.load(folder.last, weights_only=True)["state_dict"]
        moved = sum((after[f"model.{name}"] - value).square().sum().item() for name, value in start.items())
        # Steps of 0.5 and 0.25 times the clipped gradients, which are neither parallel nor opposite.
        assert rates(folder) == plain_rates(2, 0.5) == pytest.approx([0.5, 0.25])
        assert 0.25 * clip < math.sqrt(moved) < 0.75 * clip

    @pytest.mark.parametrize("stop", [3, 13, 24])
    def test_goes_on_bit_for_bit_after_an_interruption(
        self, train: Train, monkeypatch: pytest.MonkeyPatch, stop: int
    ) -> None:
        """Within the first epoch of nine steps, in mid-epoch, and one step before the end."""
        base = (
            *COSINE,
            "trainer.max_epochs=99",
            "trainer.max_steps=25",
            "optimizer=momentum",
            "model.dropout=0.2",
        )
        whole = train("sweep.name=whole", base=base)
        folder = RunFolder(prepare(configured(*base, "sweep.name=stopped"), []).folder)
        with monkeypatch.context() as patched:
            stop_after(patched, stop)
            with pytest.raises(KeyboardInterrupt):
                train("sweep.name=stopped", base=base)
        assert run_state(folder) is State.INTERRUPTED
        assert train("sweep.name=stopped", base=base).result["status"] == "done"
        assert rates(folder) == rates(whole.folder) == plain_rates(25, 0.01)
        same(folder, whole.folder)

    @pytest.mark.parametrize(("steps", "period"), [(None, 40), (25.0, 25)])
    def test_its_end_is_that_of_the_config_where_nothing_else_is_known(
        self, steps: float | None, period: int
    ) -> None:
        """As it is tried before a sweep's first run."""
        config = parsed(*COSINE, "trainer.max_steps=40")
        factories = optimizer_factories(config, steps)
        assert factories.make_scheduler is not None
        optimizer = factories.make_optimizer([torch.nn.Parameter(torch.zeros(1))])
        scheduler: Any = factories.make_scheduler(optimizer)
        assert scheduler.T_max == period


class TestOnceAnEpoch:
    @pytest.mark.parametrize("batch", [1, 4])
    def test_cosine_without_a_number_of_steps(self, train: Train, batch: int) -> None:
        options = [f"data.batch_size={batch}", "trainer.max_epochs=4", "optimizer.lr=0.02"]
        folder = train(*options, base=COSINE).folder
        rows = pd.read_csv(folder.metrics).dropna(subset="lr")
        for epoch, rate in enumerate(plain_rates(4, 0.02), start=1):
            assert set(rows.loc[rows["epoch"] == epoch, "lr"]) == {rate}, epoch

    def test_another_schedule_with_a_number_of_steps(self, train: Train) -> None:
        options = [
            "scheduler=exponential",
            "scheduler.gamma=0.5",
            "trainer.max_epochs=99",
            "trainer.max_steps=25",
        ]
        folder = train(*options, base=(*SMALL, *QUIET, "trainer.log_every=1")).folder
        rows = pd.read_csv(folder.metrics).dropna(subset="lr")
        for epoch, rate in enumerate([0.01, 0.005, 0.0025], start=1):
            assert rows.loc[rows["epoch"] == epoch, "lr"].to_numpy() == pytest.approx(rate), epoch


WARMUP = (*SMALL, *QUIET, "scheduler=warmup", "scheduler.warmup_steps=6", "trainer.log_every=1")


class TestWarmup:
    @pytest.mark.parametrize("shape", ["cosine", "linear"])
    def test_up_and_then_down_over_the_steps_of_the_run(self, train: Train, shape: str) -> None:
        options = [
            "trainer.max_epochs=99",
            "trainer.max_steps=25",
            "optimizer.lr=0.02",
            f"scheduler.shape={shape}",
        ]
        ours = rates(train(*options, "scheduler.end=0.1", base=WARMUP).folder)
        assert ours[:6] == pytest.approx([0.02 * step / 6 for step in range(1, 7)], rel=1e-12)
        progress = [(step - 5) / 19 for step in range(5, 25)]
        falls = [(1 + math.cos(math.pi * p)) / 2 if shape == "cosine" else 1 - p for p in progress]
        assert ours[5:] == pytest.approx([0.02 * (0.1 + 0.9 * fall) for fall in falls], rel=1e-9)

    def test_epochs_decide_the_length_where_no_steps_are_named(self, train: Train) -> None:
        result, folder = train("trainer.max_epochs=3", base=WARMUP)
        ours = rates(folder)
        assert len(ours) == result["steps"] and max(ours) == ours[5]
        assert ours[-1] == pytest.approx(0.0, abs=1e-12)

    @pytest.mark.parametrize("stop", [3, 13])
    def test_goes_on_bit_for_bit(self, train: Train, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
        base = (*WARMUP, "trainer.max_epochs=2", "model.dropout=0.2", "model.recurrent_dropout=0.3")
        base = (*base, "model.embedding_dropout=0.1", "model.sequence_dropout=true", "model.output_size=5")
        whole = train("sweep.name=whole", base=base)
        with monkeypatch.context() as patched:
            stop_after(patched, stop)
            with pytest.raises(KeyboardInterrupt):
                train("sweep.name=stopped", base=base)
        stopped = train("sweep.name=stopped", base=base)
        assert rates(stopped.folder) == rates(whole.folder)
        same(stopped.folder, whole.folder)

    @pytest.mark.parametrize("wrong", ["shape=square", "warmup_steps=-1", "end=2"])
    def test_what_it_cannot_do_is_refused(self, wrong: str) -> None:
        config = parsed(*WARMUP, f"scheduler.{wrong}")
        with pytest.raises(UserError, match=r"^scheduler: "):
            optimizer_factories(config)
