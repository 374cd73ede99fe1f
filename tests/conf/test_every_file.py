"""Every file in conf/ and sweeps/ is composed and run for a few steps on a handful of sample poems."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.types import RunMode

from tangsweep.config.optimizer_options import optimizer_arguments
from tangsweep.files import REPOSITORY
from tangsweep.sweep.compose import Composer
from tangsweep.sweep.grid import expand_grids, parse_grids, read_grids
from tangsweep.sweep.search_space import read_space
from tangsweep.tasks.registry import parse_config
from tests.conftest import configured
from tests.small import FEW_STEPS, FIXED_POOL, PROJECTED, TALE, VECTORS, small_sizes

CONF, SWEEPS = REPOSITORY / "conf", REPOSITORY / "sweeps"
OPTIONS = sorted(
    f"{path.parent.name}={path.stem}"
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("hydra", "logger") and path.stem != "tang"
)
NEEDS = {  # options that are for one corpus only
    "data=stream": "corpus=palindromes",
    "data=windows": "corpus=book",
    "model=reals": "corpus=frequency",
}
WIDTH = {"embeddings": ("model.embed_size=6",)}  # of the vectors below
GPU_ONLY = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture(autouse=True)
def files(home: Path) -> None:
    """What some options read."""
    (home / "data").mkdir()
    (home / "data" / "vectors.txt").write_text(VECTORS, encoding="utf-8")
    (home / "tale.txt").write_text(TALE, encoding="utf-8")


def small(*chosen: str) -> tuple[str, ...]:
    """What makes a run of the chosen options small, by its task."""
    config = configured(*chosen)
    return (
        *small_sizes(config["corpus"]["task"]),
        *FEW_STEPS,
        *(PROJECTED if config["model"]["output_size"] else ()),
        "logger=csv",
        "poems.starts='山'",
    )


@pytest.mark.parametrize(
    "option", [pytest.param(o, marks=GPU_ONLY) if o == "trainer=gpu" else o for o in OPTIONS]
)
def test_every_option_runs(option: str, train) -> None:  # type: ignore[no-untyped-def]
    chosen = tuple(filter(None, (NEEDS.get(option), option)))
    result, _ = train(base=(*chosen, *small(*chosen)))
    assert (result["status"], result["steps"]) == ("done", 4)
    assert all(figure["ours"] is not None for figure in result["published"].values())


def sweep_file(name: str) -> dict:  # type: ignore[type-arg]
    return yaml.safe_load((SWEEPS / f"{name}.yaml").read_text(encoding="utf-8"))


def jobs_of(file: dict) -> list[list[str]]:  # type: ignore[type-arg]
    """Return the jobs of a sweep; of a search those at both ends of every arm's ranges."""
    if "search" not in file:
        return expand_grids(grids_of(file))
    branches = [branch for arm in read_space(grids_of(file), None) for branch in arm.branches]
    return [
        [*branch.fixed, *(f"{p.key}={p.at(end)}" for p in branch.parameters)]
        for branch in branches
        for end in (0.0, 0.999)
    ]


def grids_of(file: dict) -> list[list[Override]]:  # type: ignore[type-arg]
    sweeper = file["hydra"]["sweeper"]
    return parse_grids(read_grids(sweeper.get("params"), sweeper.get("grids")), [])


def count_of(file: dict) -> int:  # type: ignore[type-arg]
    """Return how many runs a sweep has, or how many settings a search tries."""
    if "search" not in file:
        return len(jobs_of(file))
    return len(read_space(grids_of(file), None)) * int(file["search"]["trials"])


@pytest.mark.parametrize("name", sorted(path.stem for path in SWEEPS.glob("*.yaml")))
def test_every_sweep_is_a_multirun_whose_corners_run(name: str, train) -> None:  # type: ignore[no-untyped-def]
    file = sweep_file(name)
    assert file["hydra"]["mode"] == "MULTIRUN"
    jobs = jobs_of(file)
    options = [o for o in small(f"sweeps={name}") if not (name == "dataset_sizes" and "dev_poems" in o)]
    pool = FIXED_POOL if name == "dataset_sizes" else ()
    for job in (jobs[0], jobs[-1]):
        # What makes a job small goes last, and so has the last word over the grid's own sizes.
        result, _ = train(*job, *options, *pool, base=(f"sweeps={name}",))
        assert result["status"] == "done"


def test_every_sweep_has_a_row_that_counts_its_runs() -> None:
    rows = {
        cells[1].strip().strip("`"): cells[3].strip()
        for line in (SWEEPS / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and len(cells := line.split("|")) > 4
    }
    counts = {path.stem: str(count_of(sweep_file(path.stem))) for path in SWEEPS.glob("*.yaml")}
    assert rows == counts


def test_every_job_of_every_sweep_composes_and_is_valid() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration("train", [], RunMode.MULTIRUN))
        for path in SWEEPS.glob("*.yaml"):
            for job in jobs_of(sweep_file(path.stem)):
                values = composer.plain([f"sweeps={path.stem}", *job, *WIDTH.get(path.stem, ())])
                assert parse_config(values).plain == values


def test_a_chosen_optimizer_keeps_its_rate_whatever_the_corpus() -> None:
    for corpus in ("palindromes", "frequency", "book"):
        for optimizer in ("adadelta", "sgd", "rmsprop"):
            assert configured(f"corpus={corpus}", f"optimizer={optimizer}")["optimizer"]["lr"] == 0.01
        assert configured(f"corpus={corpus}")["optimizer"]["lr"] == 0.001


# The optimizers that the experiments compare: torch's defaults but for these. Another one needs no entry.
DIFFERENCES: dict[str, dict[str, Any]] = {
    "adadelta": {},
    "adagrad": {},
    "adam": {},
    "adamw": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {},
    "sgd": {},
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_compared_optimizers_differ_from_torchs_defaults_only_as_stated(name: str) -> None:
    file = yaml.safe_load((CONF / "optimizer" / f"{name}.yaml").read_text(encoding="utf-8"))
    module, _, class_name = file.pop("_target_").rpartition(".")
    assert class_name.lower() == {"momentum": "sgd", "nesterov": "sgd"}.get(name, name)
    parameter = torch.nn.Parameter(torch.zeros(1))
    default = getattr(importlib.import_module(module), class_name)([parameter], lr=0.01).defaults
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in optimizer_arguments(file).items()}
    assert {k: v for k, v in values.items() if default[k] != v} == DIFFERENCES[name]
    assert values["lr"] == 0.01


def test_published_settings() -> None:
    data, trainer = configured()["data"], configured()["trainer"]
    assert (trainer["max_epochs"], trainer["threads"], trainer["gradient_clip_val"]) == (100, 1, None)
    assert (data["long"], data["pad"], data["split"], data["train_fraction"]) == (
        "chunk",
        "batch",
        "fraction",
        0.8,
    )
    assert configured()["init"]["scheme"]["_target_"] == "tangsweep.inits.uniform_scaled"
    report_0 = configured("experiment=tang_500")["data"]
    assert (report_0["poems"], report_0["duplicates"], report_0["batch_size"]) == (500, "keep", 16)
    assert (data["poems"], data["batch_size"], data["min_chars"], data["max_chars"]) == (100, 1, 20, 60)
    assert configured("experiment=tang_16k")["model"]["hidden_size"] == 512
    assert configured("experiment=tang_10k_momentum")["optimizer"]["momentum"] == 0.9


def test_published_settings_of_the_other_tasks() -> None:
    palindromes = configured("corpus=palindromes")
    assert (palindromes["model"]["hidden_size"], palindromes["model"]["input"]) == (128, "one_hot")
    assert (palindromes["data"]["batch_size"], palindromes["data"]["dev_size"]) == (128, 10_000)
    assert palindromes["optimizer"]["_target_"] == "torch.optim.RMSprop"
    assert (palindromes["optimizer"]["lr"], palindromes["trainer"]["gradient_clip_val"]) == (0.001, 10)
    assert (palindromes["trainer"]["max_steps"], palindromes["trainer"]["val_every"]) == (10_000, 100)
    frequency = configured("corpus=frequency")
    assert (frequency["model"]["hidden_size"], frequency["data"]["batch_size"]) == (110, 32)
    assert (frequency["optimizer"]["_target_"], frequency["optimizer"]["lr"]) == ("torch.optim.Adam", 0.001)
    for name in ("grimms", "democracy", "don_quijote"):
        book = configured(f"experiment=book_{name}")
        assert (book["corpus"]["name"], book["data"]["seq_len"], book["trainer"]["max_steps"]) == (
            name,
            30,
            7_000,
        )
        assert (book["model"]["layers"], book["model"]["hidden_size"]) == (2, 128)
        assert (book["optimizer"]["_target_"], book["optimizer"]["lr"]) == ("torch.optim.RMSprop", 0.0025)
        assert book["scheduler"]["gamma"] == 0.96
