from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.training.budget import StepBudget
from tangsweep.training.stopping import StopWhenSolved

ACCURACY = {"metric": "accuracy", "mode": "max", "solved": 0.9, "hopeless": 0.2}
LOSS = {"metric": "loss", "mode": "min", "solved": 0.1, "hopeless": 0.8}


def made(primary: dict[str, Any], values: list[float], give_up: bool = True) -> StopWhenSolved:
    """Of a run that has an evaluation for each value, 10 steps apart."""
    return StopWhenSolved(primary, give_up, StepBudget(None, len(values), 10))


def ended(goal: StopWhenSolved, values: list[float]) -> tuple[str | None, int | None, int]:
    """How it ended, the solved step, and after how many evaluations, 10 steps apart."""
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    for value in values:
        trainer.global_step += 10
        goal.on_train_epoch_end(trainer, SimpleNamespace(primary_value=value))
        if trainer.should_stop:
            break
    return goal.ended, goal.solved_step, trainer.global_step // 10


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
    assert ended(made(ACCURACY, values), values) == expected
    assert ended(made(LOSS, values), [1 - v for v in values]) == expected


def test_giving_up_is_an_option_and_marks_are_too() -> None:
    assert ended(made(ACCURACY, [0.1] * 4, give_up=False), [0.1] * 4) == (None, None, 4)
    assert ended(made({"metric": "perplexity", "mode": "min"}, [1.0] * 4), [1.0] * 4) == (None, None, 4)


@given(st.lists(st.sampled_from([0.1, 0.5, 0.95]), min_size=2, max_size=9), st.data())
def test_a_continued_run_ends_as_an_undisturbed_one(values: list[float], data: st.DataObject) -> None:
    whole = ended(made(ACCURACY, values), values)
    goal = made(ACCURACY, values)
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    cut = data.draw(st.integers(1, len(values)))
    for position, value in enumerate(values):
        if position == cut:
            stored, goal = goal.state_dict(), made(ACCURACY, values)
            goal.load_state_dict(stored)
        trainer.global_step += 10
        goal.on_train_epoch_end(trainer, SimpleNamespace(primary_value=value))
        if trainer.should_stop:
            break
    assert (goal.ended, goal.solved_step, trainer.global_step // 10) == whole
