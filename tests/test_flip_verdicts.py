"""The trial of flipped bits tells what holds from what does not: `benchmarks/flip_verdicts.py`."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tangsweep.files import REPOSITORY

FILE = Path("outputs/x/run/metrics.csv")
LOOK: dict[str, Any] = {
    "tables": {"runs": [{"run": "a", "loss": 1.5}], "epochs": [{"run": "a", "epoch": 1, "dev_loss": 2.5}]},
    "named": [],
    "poems": [[0, "山\n"]],
    "tones": ["learned", "平"],
}
LEFT = {"a": {"weights": {"last.ckpt": {"w": [1.0]}}, "rows": [{"step": 1}], "poems": "山"}}
SEEN: dict[str, Any] = {
    "status": 0, "printed": "", "before": LOOK, "after": copy.deepcopy(LOOK), "left": LEFT
}  # fmt: skip
NAMED = [f"{FILE}: was changed since it was written"]
UNNAMED = [
    ("before", "tables", "runs", 0, "loss", 1.25),
    ("after", "tables", "epochs", 0, "dev_loss", 9.0),
    ("after", "tables", "epochs", 0, "dev_loss", None),
    ("left", "a", "rows", []),
    ("left", "a", "weights", "last.ckpt", {"w": [2.0]}),
    ("before", "poems", [[0, "月\n"]]),
    ("after", "tones", ["learned", "仄"]),
    ("printed", "Traceback (most recent call last)"),
    ("status", 1),
]


def verdict(*changes: tuple[Any, ...]) -> str:
    from flip_verdicts import judge

    observed = copy.deepcopy(SEEN)
    for *path, name, value in changes:
        place = observed
        for part in path:
            place = place[part]
        place[name] = value
    found: str = judge(SEEN, observed, FILE).name
    return found


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))


@pytest.mark.parametrize("change", UNNAMED)
def test_what_is_not_named_does_not_hold(change: tuple[Any, ...]) -> None:
    assert verdict(change) == "wrong"


def test_what_is_named_holds_but_for_another_number() -> None:
    name = ("after", "named", NAMED)
    assert verdict(name, ("after", "tables", "epochs", 0, "dev_loss", None)) == "named"
    assert verdict(name, ("left", "a", "rows", [])) == "named"
    assert verdict(name, ("after", "tables", "epochs", 0, "dev_loss", 9.0)) == "wrong"
    assert verdict(name, ("printed", "Traceback (most recent call last)")) == "wrong"


def test_what_is_the_same_at_the_end_was_repaired_or_without_effect() -> None:
    assert verdict() == "same"
    assert verdict(("printed", "metrics.csv was damaged, and has all of its rows again")) == "repaired"
    assert verdict(("before", "tables", "epochs", []), ("before", "named", NAMED)) == "repaired"
    assert verdict(("left", "a", "weights", "last.ckpt", "refused")) == "named"


def test_a_crash_does_not_hold() -> None:
    from flip_verdicts import judge

    assert judge(SEEN, {"crash": "it ended with -7"}, FILE).name == "wrong"
