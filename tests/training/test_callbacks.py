from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.errors import UserError
from tangsweep.metrics import METRICS
from tangsweep.training.callbacks import AtomicCheckpointIO, StepBudget, StopWhenSolved
from tangsweep.training.metrics_callback import Evaluation


def of_accuracy(values: list[float], give_up: bool = True) -> StopWhenSolved:
    """Of a run that has an evaluation for each value, 10 steps apart."""
    budget = StepBudget(None, len(values), 10)
    return StopWhenSolved(METRICS["accuracy"], 0.9, 0.2 if give_up else None, budget)


def of_loss(values: list[float]) -> StopWhenSolved:
    return StopWhenSolved(METRICS["loss"], 0.1, 0.8, StepBudget(None, len(values), 10))


def evaluate(callback: StopWhenSolved, trainer: Any, value: float) -> None:
    """One evaluation, 10 steps after the one before, whose score is `value`."""
    trainer.global_step += 10
    dev: Any = SimpleNamespace(accuracy=value, loss=value, perplexity=value)
    callback.on_evaluation_end(trainer, Evaluation(trainer.global_step // 10, trainer.global_step, dev))


def ended(callback: StopWhenSolved, values: list[float]) -> tuple[str | None, int | None, int]:
    """How it ended, the solved step, and after how many evaluations, 10 steps apart."""
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    for value in values:
        evaluate(callback, trainer, value)
        if trainer.should_stop:
            break
    return callback.ended, callback.solved_step, trainer.global_step // 10


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.9, 0.95, 0.1], ("solved", 20, 3)),
        ([0.95, 0.5, 0.95, 0.95], ("solved", 30, 4)),
        ([0.95, 0.5, 0.95, 0.5], (None, None, 4)),
        ([0.1, 0.1, 0.1, 0.1], ("hopeless", None, 2)),
        ([0.1, 0.3, 0.1, 0.1], (None, None, 4)),
    ],
)
def test_accuracy_and_loss_alike(values: list[float], expected: tuple[Any, ...]) -> None:
    assert ended(of_accuracy(values), values) == expected
    assert ended(of_loss(values), [1 - v for v in values]) == expected


def test_giving_up_is_an_option_and_marks_are_too() -> None:
    assert ended(of_accuracy([0.1] * 4, give_up=False), [0.1] * 4) == (None, None, 4)
    never = StopWhenSolved(METRICS["perplexity"], None, None, StepBudget(None, 4, 10))
    assert ended(never, [1.0] * 4) == (None, None, 4)


@given(st.lists(st.sampled_from([0.1, 0.5, 0.95]), min_size=2, max_size=9), st.data())
def test_a_continued_run_ends_as_an_undisturbed_one(values: list[float], data: st.DataObject) -> None:
    whole = ended(of_accuracy(values), values)
    callback = of_accuracy(values)
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    cut = data.draw(st.integers(1, len(values)))
    for position, value in enumerate(values):
        if position == cut:
            stored, callback = callback.state_dict(), of_accuracy(values)
            callback.load_state_dict(stored)
        evaluate(callback, trainer, value)
        if trainer.should_stop:
            break
    assert (callback.ended, callback.solved_step, trainer.global_step // 10) == whole


class TestAtomicCheckpointIO:
    def test_a_checkpoint_holds_what_was_so_when_it_was_saved(self, tmp_path: Path) -> None:
        writer, weight = AtomicCheckpointIO(), torch.zeros(200_000)
        for number in range(5):
            writer.save_checkpoint({"weight": weight}, tmp_path / f"{number}.ckpt")
            weight += 1
        writer.teardown()
        for number in range(5):
            assert (writer.load_checkpoint(tmp_path / f"{number}.ckpt")["weight"] == number).all()

    @pytest.mark.parametrize("end", ["the next one", "the end of training"])
    def test_a_write_that_fails_is_raised_by(self, tmp_path: Path, end: str) -> None:
        writer = AtomicCheckpointIO()
        writer.save_checkpoint({"step": 1}, tmp_path / "no folder" / "last.ckpt")
        with pytest.raises(UserError, match=r"cannot write .*no folder"):
            if end == "the next one":
                writer.save_checkpoint({"step": 2}, tmp_path / "last.ckpt")
            else:
                writer.teardown()
        assert not (tmp_path / "last.ckpt").exists()
