"""Which runs have the defaults of conf/, also where Hydra itself is at work."""

from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from tangsweep.config.identity import flatten
from tangsweep.files import CONFIG_FOLDER
from tangsweep.reporting.data.default_settings import default_runs
from tangsweep.runs.record import Record
from tests.conftest import configured


def read(*overrides: str) -> tuple[dict[str, Any], Record]:
    """Return the flat config and the record of a run with these overrides."""
    record = Record.model_validate({"status": "done", "overrides": list(overrides)})
    return dict(flatten(configured(*overrides))), record


def defaults_of(tuned: list[str], *commands: list[str]) -> set[str]:
    """Return which of the commands' runs have the defaults; what is compared is their first override."""
    runs = {" ".join(overrides): read(*overrides) for overrides in commands}
    configs, records = ({run: pair[place] for run, pair in runs.items()} for place in (0, 1))
    return default_runs({run: run.split()[0] for run in runs}, tuned, configs, records)  # type: ignore[arg-type]


ADAM = [["optimizer=adam", f"optimizer.lr={rate}"] for rate in ("0.001", "1e-2", "0.1")]


def test_the_value_of_the_chosen_file_is_the_default() -> None:
    assert defaults_of(["optimizer.lr"], *ADAM) == {"optimizer=adam optimizer.lr=1e-2"}
    small = [["optimizer=adam_1e-3", f"optimizer.lr={rate}"] for rate in ("0.001", "0.01")]
    assert defaults_of(["optimizer.lr"], *small) == {"optimizer=adam_1e-3 optimizer.lr=0.001"}


def test_a_sweep_file_has_the_last_word() -> None:
    commands = [["sweeps=dataset_sizes", f"optimizer.lr={rate}"] for rate in ("0.003", "0.01")]
    assert defaults_of(["optimizer.lr"], *commands) == {"sweeps=dataset_sizes optimizer.lr=0.003"}


def test_a_choice_of_files_has_a_default_too() -> None:
    commands = [["optimizer=adam", f"scheduler={name}"] for name in ("none", "cosine")]
    assert defaults_of(["scheduler"], *commands) == {"optimizer=adam scheduler=none"}


def test_what_cannot_be_composed_has_none() -> None:
    config, record = read("optimizer=adam", "optimizer.lr=0.01")
    for changed in (["optimizer=gone"], ["optimizer.none_such=1"], ["model=="]):
        renamed = {"run": record.model_copy(update={"overrides": changed})}
        assert default_runs({"run": "x"}, ["optimizer.lr"], {"run": config}, renamed) == set()


def test_hydra_is_left_as_it_was() -> None:
    """A sweep's report is written while Hydra's own main function runs."""
    runs = {" ".join(overrides): read(*overrides) for overrides in ADAM}
    configs = {run: config for run, (config, _) in runs.items()}
    records = {run: record for run, (_, record) in runs.items()}
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert len(default_runs(dict.fromkeys(runs, "adam"), ["optimizer.lr", "seed"], configs, records)) == 1
        assert GlobalHydra.instance().hydra is running
    assert not GlobalHydra.instance().is_initialized()
