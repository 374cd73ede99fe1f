"""A sweep file written by hand is a sweep, however it is written."""

import re
from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY
from tests.conftest import SMALL, RunCommand

PLAN = f"plan=true logger=csv {' '.join(SMALL)}"


@pytest.fixture
def mine(own_sweeps: Path) -> Path:
    return own_sweeps / "mine.yaml"


def recipe() -> str:
    """Return the recipe in sweeps/README.md."""
    page = (REPOSITORY / "sweeps" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^`sweeps/mine.yaml`\n```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return "".join(blocks)


def planned_runs(run_command: RunCommand, command: str = "train sweeps=mine") -> list[str]:
    """Return what varies in each run that a command would train."""
    status, out, err = run_command(f"{command} {PLAN}")
    assert (status, err) == (0, "")
    return re.findall(r"^[0-9a-f]{8} +(\S+) +missing", out, re.MULTILINE)


FOUR = [f"optimizer-{name}_lr-{rate}" for name in ("sgd", "adam") for rate in ("0.1", "0.01")]


def test_the_recipe_is_five_lines_and_a_sweep(mine: Path, run_command: RunCommand) -> None:
    assert len(recipe().splitlines()) == 5
    mine.write_text(recipe(), encoding="utf-8")
    assert planned_runs(run_command) == FOUR


@pytest.mark.slow
def test_the_recipe_trains(mine: Path, home: Path, run_command: RunCommand) -> None:
    mine.write_text(recipe(), encoding="utf-8")
    status, _, err = run_command(f"train sweeps=mine logger=csv poems.quality=false {' '.join(SMALL)}")
    assert (status, err) == (0, "")
    records = (home / "outputs" / "mine").glob("*/result.json")
    assert sorted(path.parent.name.rpartition("-")[0] for path in records) == sorted(FOUR)
    assert (home / "outputs" / "mine" / "report.html").exists()


RATES = "optimizer.lr: '0.1,0.01'"
HEADER = "# @package _global_\n"


@pytest.mark.parametrize(
    "text",
    [
        HEADER + recipe(),
        HEADER + recipe().replace("hydra:\n", "hydra:\n  mode: RUN\n"),
        f"hydra: {{sweeper: {{grids: [{{optimizer: sgd, {RATES}}}, {{optimizer: adam, {RATES}}}]}}}}\n",
    ],
    ids=["as Hydra's pages have it", "with another mode", "grids"],
)
def test_every_way_of_writing_it(mine: Path, run_command: RunCommand, text: str) -> None:
    mine.write_text(text, encoding="utf-8")
    assert planned_runs(run_command) == FOUR


def test_a_file_of_fixed_values_takes_the_swept_ones_from_the_command(
    mine: Path, run_command: RunCommand
) -> None:
    mine.write_text("optimizer: {lr: 0.5}\n", encoding="utf-8")
    assert planned_runs(run_command, "train sweeps=mine seed=0,1") == ["seed-0", "seed-1"]


def test_the_last_of_a_key_counts_and_alone_names_the_run(home: Path, run_command: RunCommand) -> None:
    """Hydra takes the last as well; of a sweep, and of one run."""
    for command in ("train optimizer=adam optimizer=sgd", "train -m optimizer=adam,sgd optimizer=sgd"):
        status, out, _ = run_command(f"{command} {PLAN}")
        assert status == 0
        assert re.search(r"optimizer=adam\S* does not count: optimizer=sgd comes after it", out)
        assert "optimizer-sgd" in out
        assert "optimizer-adam" not in out
