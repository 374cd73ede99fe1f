"""Imports point downward only."""

import ast
import subprocess
import sys

import pytest
from benchmarks.structure import import_graph, read_modules

from tangsweep.files import REPOSITORY

SRC = REPOSITORY / "src"
# From the bottom to the top. A room may import the rooms of the layers below its own, and none beside it.
LAYERS = [
    (
        "errors fault_points printable temporary_folder randomness metrics baselines",
        "one question each, answered without the others",
    ),
    (
        "files machine command_line analytic",
        "paths and atomic writes, cores and memory, errors in one line, the mathematics in NumPy",
    ),
    ("config corpora kernels", "what was asked for, texts and where they lie, fast operations"),
    ("cells runs input_layers", "equations of one step, what lies in a run's folder, vectors from ids"),
    ("language_model batches console", "cells over time, tensors from texts, what the terminal shows"),
    (
        "checkpoint direct_gradients inits progress_bar data_modules",
        "a trained model from its file, its gradients, first weights, a bar with time left, data modules",
    ),
    (
        "prosody bundled_model",
        "forms, tone patterns, tones and rhymes of characters; the model that comes with the project",
    ),
    ("generation", "poems and running text from a checkpoint"),
    ("evaluation", "how good a model and its poems are"),
    ("tasks", "what a corpus asks of a run"),
    ("training reporting", "one run, and the comparison of many"),
    ("sweep dashboard demo plots", "many runs, their copy at W&B, the local page, pictures of formulas"),
    ("commands hydra_plugins", "what users call: commands, Hydra's sweeper and launcher"),
    ("api __main__", "functions for notebooks, the console command"),
    ("tangsweep train report generate", "the package's own names, the scripts"),
]
RANK = {room: rank for rank, (rooms, _) in enumerate(LAYERS) for room in rooms.split()}
WITHOUT_TORCH = [
    "errors",
    "fault_points",
    "printable",
    "temporary_folder",
    "machine",
    "randomness",
    "metrics",
    "baselines",
    "files",
    "command_line",
    "analytic",
    "config",
    "corpora",
    "runs",
    "prosody",
    "console",
]
WITHOUT_FRAMEWORKS = [
    room
    for room in [*WITHOUT_TORCH, "kernels", "cells", "inits"]
    if room not in ("console", "command_line", "config")
]
FRAMEWORKS = {"pytorch_lightning", "lightning", "hydra", "wandb"}

MODULES = read_modules(SRC)
GRAPH = import_graph(MODULES)


def room(name: str) -> str:
    """Return the room of a module: `tangsweep.cells.lstm` lies in `cells`, src/report.py on top of all."""
    parts = name.split(".")
    return parts[1] if parts[0] == "tangsweep" and len(parts) > 1 else parts[0]


def test_every_room_has_one_layer() -> None:
    assert {room(name) for name in GRAPH} <= RANK.keys(), "a new room needs a place in LAYERS"
    assert sum(len(rooms.split()) for rooms, _ in LAYERS) == len(RANK)


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_point_downward(name: str) -> None:
    own = room(name)
    upward = {other for other in GRAPH[name] if room(other) != own and RANK[room(other)] >= RANK[own]}
    assert not upward, f"{name} imports {sorted(upward)}, which stand on its own layer or above it"


def test_rooms_without_frameworks_do_not_name_them() -> None:
    for module in MODULES:
        if room(module.name) in WITHOUT_FRAMEWORKS:
            assert not imported_packages(module.tree) & FRAMEWORKS, module.path


def test_rooms_without_torch_do_not_name_it() -> None:
    for module in MODULES:
        if room(module.name) in WITHOUT_TORCH and module.name != "tangsweep.machine":  # which counts GPUs
            assert "torch" not in imported_packages(module.tree), module.path


def imported_packages(tree: ast.Module) -> set[str]:
    """Return the top-level packages that a module imports anywhere, in functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_rooms_without_torch_do_not_load_it() -> None:
    """Not even through what they import: help, a mistake and a report come without the seconds it takes."""
    modules = [m.name for m in MODULES if room(m.name) in WITHOUT_TORCH and not m.name.endswith("__main__")]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print({'torch', 'pytorch_lightning', 'wandb', 'fastNLP'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


def test_no_recurrent_module_of_torch() -> None:
    banned = {f"nn.{kind}{cell}" for kind in ("LSTM", "RNN", "GRU") for cell in ("", "Cell")}
    for module in MODULES:
        used = {ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
        assert not {name for name in used if name.removeprefix("torch.") in banned}, module.path
