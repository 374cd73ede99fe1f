"""Imports point downward only."""

import ast
from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY

SOURCE = REPOSITORY / "src" / "tangsweep"
FRAMEWORKS = {"pytorch_lightning", "lightning", "hydra", "wandb"}
# A room may import the rooms of its own rank and of lower ranks.
RANK = {
    "errors": 0, "places": 0, "randomness": 0, "metrics": 0, "baselines": 0,
    "gemm": 0, "kernels": 1, "cross_entropy": 2, "corpora": 1, "cells": 2, "analytic": 1, "runs": 1,
    "language_model": 3, "console": 2, "bar": 2, "batches": 2, "prosody": 3,
    "inits": 4, "command_line": 3,
    "generation": 4, "report": 4, "dashboard": 7,
    "tasks": 5, "demo": 5, "training": 6, "sweep": 7,
}  # fmt: skip
WITHOUT_TORCH = {"corpora", "prosody", "analytic", "metrics", "randomness", "runs", "baselines", "console"}
WITHOUT_FRAMEWORKS = (WITHOUT_TORCH - {"console"}) | {"cells", "inits"}
FILES = sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downward(path: Path) -> None:
    if path.name in ("__init__.py", "__main__.py"):  # an entry point stands on top of everything
        return
    own = room(path)
    names = imported(path)
    others = {n.split(".")[1] for n in names if n.startswith("tangsweep.")}
    assert {o for o in others if RANK[o] > RANK[own]} == set()
    tops = {name.partition(".")[0] for name in names}
    if own in WITHOUT_FRAMEWORKS:
        assert not tops & FRAMEWORKS
    if own in WITHOUT_TORCH:
        assert "torch" not in tops


def test_no_recurrent_module_of_torch() -> None:
    banned = {f"nn.{kind}{cell}" for kind in ("LSTM", "RNN", "GRU") for cell in ("", "Cell")}
    for path in FILES:
        used = {ast.unparse(n) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
        assert not {u for u in used if u.removeprefix("torch.") in banned}, path


def test_functions_and_files_stay_short() -> None:
    for path in [*FILES, *(SOURCE.parent / "hydra_plugins").glob("*.py"), *SOURCE.parent.glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 250, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 41, f"{path}: {node.name}"
