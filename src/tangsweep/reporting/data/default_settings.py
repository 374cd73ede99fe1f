"""Which runs have the values that conf/ gives where nobody overrides them."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tangsweep.config.identity import flatten
from tangsweep.files import CONFIG_FOLDER
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record


def default_runs(
    values: Mapping[str, str],
    tuned: Iterable[str],
    configs: Mapping[str, FlatConfig],
    records: Mapping[str, Record],
) -> set[str]:
    """Return the runs, by name, that stand as their commands would without the `tuned` overrides.

    `values` is what is compared, by run. Where conf/ cannot compose a command any more, or gives its groups
    other values than the runs have, none of its runs is known to be a default.
    """
    groups = tuple(sorted({key.partition(".")[0] for key in tuned}))
    overrides: dict[str, list[str]] = {}
    for run, value in values.items():
        overrides.setdefault(value, records[run].overrides or [])
    defaults = {
        value: _compose_groups(tuple(o for o in texts if _key(o) not in tuned), groups)
        for value, texts in overrides.items()
    }
    return {run for run, value in values.items() if _in_groups(configs[run], groups) == defaults[value]}


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


@cache
def _compose_groups(overrides: tuple[str, ...], groups: tuple[str, ...]) -> FlatConfig | None:
    """Return what conf/ gives for a command, as flat keys of groups; None where it cannot be composed."""
    try:
        with _own_hydra():
            composed: Any = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    except (HydraException, OmegaConfBaseException):
        return None
    return _in_groups(dict(flatten(composed)), groups)


@contextlib.contextmanager
def _own_hydra() -> Iterator[None]:
    """Read conf/ as the commands do, also at the end of a sweep, which Hydra itself runs."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running


def _in_groups(config: FlatConfig, groups: tuple[str, ...]) -> FlatConfig:
    return {key: value for key, value in config.items() if key.partition(".")[0] in groups}
