"""The recipes of CONTRIBUTING.md, applied to a copy of the repository and run there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tangsweep.files import REPOSITORY
from tests.conftest import QUIET, SMALL

CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
COPIED = (
    "src",
    "conf",
    "sweeps",
    "data/model",
    "data/sample",
    "tests",
    "benchmarks",
    "pyproject.toml",
    "Makefile",
    "docs",
    "README.md",
)
RECIPE = re.compile(r"^### \d+\. (?:An?|The) (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([^`\n]+)`\n((?:```\w+\n.*?^```\n)+)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """What a recipe writes into one file: a whole new file, or a change of one that exists."""

    path: str
    language: str
    text: str


def read_recipes(markdown: str) -> dict[str, list[Block]]:
    return {
        title: [
            Block(path, language, block)
            for path, fences in FILE.findall(text)
            for language, block in FENCE.findall(fences)
        ]
        for title, text in RECIPE.findall(markdown)
        if FILE.search(text)
    }


RECIPES = read_recipes(CONTRIBUTING.read_text(encoding="utf-8"))


def apply_recipe(root: Path, blocks: list[Block]) -> None:
    for block in blocks:
        path = root / block.path
        if block.language == "diff":
            path.write_text(patched(path.read_text(encoding="utf-8"), block), encoding="utf-8")
        else:
            assert not path.exists(), f"{block.path} is no new file"
            path.write_text(block.text, encoding="utf-8")


def patched(text: str, block: Block) -> str:
    """Return the text with a diff applied; what the diff shows of it must stand there exactly once."""
    lines = [line or " " for line in block.text.splitlines()]
    assert {line[0] for line in lines} <= set(" +-"), block
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] != sign) for sign in "+-")
    assert f"\n{text}".count(f"\n{before}") == 1, f"{block.path} does not hold, once:\n{before}"
    return f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository, as far as a recipe needs it."""
    root = tmp_path / "checkout"
    for name in COPIED:
        source, copy = REPOSITORY / name, root / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, copy)
    return root


def execute(checkout: Path, *arguments: str) -> str:
    """Run Python in the copy; returns what it printed."""
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "src"), "TANGSWEEP_HOME": str(checkout / "home")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return process.stdout


def train_in(checkout: Path, *arguments: str) -> dict:  # type: ignore[type-arg]
    """Train one run in the copy and return its record."""
    execute(checkout, "src/train.py", *arguments)
    [path] = (checkout / "home" / "outputs" / "single").glob("*/result.json")
    record: dict = json.loads(path.read_text(encoding="utf-8"))  # type: ignore[type-arg]
    assert record["status"] == "done"
    return record


def run_tests_in(checkout: Path, *arguments: str) -> None:
    printed = execute(checkout, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
    assert re.search(r"[1-9]\d* passed", printed), printed


FILES = {
    "optimizer": ["conf/optimizer/asgd.yaml"],
    "initialization": ["src/tangsweep/inits.py", "conf/init/half_normal.yaml"],
    "cell": [
        "src/tangsweep/cells/ugrnn.py",
        "src/tangsweep/cells/registry.py",
        "conf/cell/ugrnn.yaml",
        "tests/cells/test_contract.py",
    ],
    "task": [
        "src/tangsweep/tasks/parity.py",
        "src/tangsweep/tasks/registry.py",
        "conf/corpus/parity.yaml",
    ],
    "chart": ["src/tangsweep/reporting/charts/training_time.py", *["src/tangsweep/reporting/build.py"] * 2],
}


def test_the_recipes_are_these() -> None:
    assert {title: [block.path for block in blocks] for title, blocks in RECIPES.items()} == FILES


@pytest.mark.slow
def test_an_optimizer(checkout: Path) -> None:
    apply_recipe(checkout, RECIPES["optimizer"])
    train_in(checkout, *SMALL, *QUIET, "optimizer=asgd")
    [config] = (checkout / "home" / "outputs" / "single").glob("*/config.yaml")
    assert "torch.optim.ASGD" in config.read_text(encoding="utf-8")
    listing = (
        "sdg or optimiser or test_help or test_the_page_is_current"  # what might pin the list of options
    )
    tests = ("tests/conf", "tests/config", "tests/test_command_line.py")
    run_tests_in(checkout, *tests, "-k", f"asgd or compared_optimizers or {listing}")


@pytest.mark.slow
def test_an_initialization(checkout: Path) -> None:
    apply_recipe(checkout, RECIPES["initialization"])
    train_in(checkout, *SMALL, *QUIET, "init=half_normal")
    run_tests_in(checkout, "tests/conf", "tests/test_inits.py", "-k", "half_normal or inits")


@pytest.mark.slow
def test_a_cell(checkout: Path) -> None:
    apply_recipe(checkout, RECIPES["cell"])
    train_in(checkout, *SMALL, *QUIET, "cell=ugrnn")
    execute(checkout, "-m", "tests.config.configuration_page")  # make docs
    chosen = "ugrnn or every_cell_is_tried or time_stamps or configuration_page"
    run_tests_in(checkout, "tests/conf", "tests/cells", "tests/config", "-k", chosen)


@pytest.mark.slow
def test_a_task(checkout: Path) -> None:
    apply_recipe(checkout, RECIPES["task"])
    sizes = ("corpus.length=3", "model.hidden_size=16", "data.dev_size=50", "trainer.max_steps=200")
    record = train_in(checkout, "corpus=parity", *sizes, "logger=csv")
    assert record["corpus"]["name"] == "parity"
    assert record["dev"]["accuracy"] > 0.6
    execute(checkout, "-m", "tests.config.configuration_page")  # make docs
    run_tests_in(checkout, "tests/conf", "tests/config", "-k", "parity or configuration_page")


@pytest.mark.slow
def test_a_chart(checkout: Path) -> None:
    apply_recipe(checkout, RECIPES["chart"])
    train_in(checkout, *SMALL, *QUIET)
    execute(checkout, "src/report.py", "outputs/single", "--out", "report")
    assert "## Training time" in (checkout / "report" / "report.md").read_text(encoding="utf-8")
    assert (checkout / "report" / "figures" / "training_time.svg").exists()
