"""Expands overrides with several values to jobs: every combination, in the order of the values."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from tangsweep.config.options import format_value
from tangsweep.errors import UserError


def read_grids(params: object, grids: object) -> list[dict[str, str]]:
    """Return the grids of a sweep file, key → values as on the command line.

    `params` is one grid, `grids` are several. Several values are a YAML list, or text with commas. Raises
    UserError for what is no grid.
    """
    listed = grids if grids else [params or {}]
    if not isinstance(listed, Sequence) or not all(isinstance(grid, Mapping) for grid in listed):
        raise UserError("hydra.sweeper.params is keys with their values, hydra.sweeper.grids a list of such")
    return [
        {
            str(key): ",".join(map(_as_text, values)) if _is_list(values) else _as_text(values)
            for key, values in grid.items()
        }
        for grid in listed
    ]


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _as_text(value: object) -> str:
    """Write a value of a YAML file as on the command line; text is written so already."""
    if _is_list(value):
        return f"[{','.join(map(_as_text, value))}]"
    return value if isinstance(value, str) else format_value(value)


def parse_grids(
    grids: Sequence[Mapping[str, str]], arguments: Sequence[str], config_loader: ConfigLoader | None = None
) -> list[list[Override]]:
    """Parse the sweep file's grids and merge the command line's overrides into each of them.

    An override on the command line replaces the values of its key in every grid, and adds the key where a
    grid lacks it. There is one exception, where the grids differ in that key and one of them has a value
    that the command line names. Then each grid keeps only those of its values that the command line names,
    and a grid without any is dropped. `optimizer=glob(*)` needs the `config_loader` to list the options.
    """
    parser = OverridesParser.create(config_loader)
    from_command_line = {o.get_key_element(): o for o in parser.parse_overrides(list(arguments))}
    parsed = [
        {o.get_key_element(): o for o in parser.parse_overrides([f"{k}={v}" for k, v in grid.items()])}
        for grid in grids
    ]
    for key, override in from_command_line.items():
        if any(map(is_continuous, (override, *(grid[key] for grid in parsed if key in grid)))):
            parsed = [grid | {key: override} for grid in parsed]
            continue
        grid_choices = [_choices(grid[key]) if key in grid else None for grid in parsed]
        named = _choices(override)
        shared = [named if own is None else [c for c in named if c in own] for own in grid_choices]
        if any(own != grid_choices[0] for own in grid_choices) and any(shared):
            narrowed = [(grid, choices) for grid, choices in zip(parsed, shared, strict=True) if choices]
            parsed = [grid | {key: _join_choices(parser, choices)} for grid, choices in narrowed]
        else:
            parsed = [grid | {key: override} for grid in parsed]
    return [list(grid.values()) for grid in parsed]


def check_sweep_file(name: str | None, grids: Sequence[Sequence[Override]], file_keys: Sequence[str]) -> None:
    """Raise UserError for several sweep files in one command, and for a file with which nothing is varied."""
    varied = swept_keys([override for grid in grids for override in grid])
    if "sweeps" in varied:
        raise UserError("a command runs one sweep file: give each its own command")
    if name is not None and not file_keys and not varied:
        raise UserError(
            f"sweeps/{name}.yaml varies nothing: name keys and their values below hydra.sweeper.params, as "
            "sweeps/README.md shows"
        )


def as_list(argument: str, key: str) -> str:
    """Return `key=1,2`, which would be two jobs, as the list `key=[1,2]`; other arguments as they are."""
    name, _, value = argument.partition("=")
    if name.lstrip("+") != key or value.startswith("["):
        return argument
    return f"{name}=[{value}]"


def _join_choices(parser: OverridesParser, choices: Sequence[str]) -> Override:
    """Join single-valued overrides of one key into one with several values."""
    key = choices[0].partition("=")[0]
    return parser.parse_override(f"{key}={','.join(choice.partition('=')[2] for choice in choices)}")


def expand_grids(grids: Sequence[Sequence[Override]]) -> list[list[str]]:
    """Return the jobs of all grids, each job once."""
    jobs: list[list[str]] = []
    for grid in grids:
        previous = {tuple(sorted(job)) for job in jobs}
        jobs += [job for job in expand_grid(grid) if tuple(sorted(job)) not in previous]
    return jobs


def is_continuous(override: Override) -> bool:
    """Return whether the values of an override are a range of real numbers."""
    return override.is_sweep_override() and not override.is_discrete_sweep()


def swept_keys(overrides: Sequence[Override]) -> list[str]:
    """Return the keys with several values."""
    return [o.get_key_element() for o in overrides if o.is_sweep_override()]


def expand_grid(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the jobs of one grid, each a list of single-valued overrides.

    Raises UserError for a continuous range.
    """
    return [list(job) for job in itertools.product(*map(_choices, overrides))]


def _choices(override: Override) -> list[str]:
    """Return one single-valued override for each value."""
    text = override.input_line or ""
    if not override.is_sweep_override():
        return [text]
    if is_continuous(override):
        raise UserError(
            f"{text} is a continuous range: name the values to try, or say how many with search.trials=40"
        )
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
