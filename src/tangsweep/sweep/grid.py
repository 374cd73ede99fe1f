"""From overrides with several values to the list of jobs: every combination, in the order written."""

import itertools
from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from tangsweep.errors import UserError


def parse_grids(
    grids: Sequence[Mapping[str, str]], arguments: Sequence[str], config_loader: ConfigLoader | None = None
) -> list[list[Override]]:
    """Return the sweep file's grids, each narrowed by the command line, which adds new keys to all of them.

    A key on the command line replaces every grid's values. But where the grids differ in that key and some
    hold a value that the command line names, it chooses among them, and a grid that holds none is dropped.
    The loader lets `optimizer=glob(*)` look up what exists.
    """
    parser = OverridesParser.create(config_loader)
    from_command_line = {o.get_key_element(): o for o in parser.parse_overrides(list(arguments))}
    parsed = [
        {o.get_key_element(): o for o in parser.parse_overrides([f"{k}={v}" for k, v in grid.items()])}
        for grid in grids
    ]
    for key, override in from_command_line.items():
        grid_choices = [_choices(grid[key]) if key in grid else None for grid in parsed]
        named = _choices(override)
        shared = [named if own is None else [c for c in named if c in own] for own in grid_choices]
        if any(own != grid_choices[0] for own in grid_choices) and any(shared):
            pairs = [(grid, choices) for grid, choices in zip(parsed, shared, strict=True) if choices]
            parsed = [grid | {key: _join_choices(parser, choices)} for grid, choices in pairs]
        else:
            parsed = [grid | {key: override} for grid in parsed]
    return [list(grid.values()) for grid in parsed]


def _join_choices(parser: OverridesParser, choices: Sequence[str]) -> Override:
    """Join single-valued overrides of one key into one with several values."""
    key = choices[0].partition("=")[0]
    return parser.parse_override(f"{key}={','.join(choice.partition('=')[2] for choice in choices)}")


def every_job(grids: Sequence[Sequence[Override]]) -> list[list[str]]:
    """Return the jobs of all grids; a job that an earlier grid holds is left out."""
    jobs: list[list[str]] = []
    for grid in grids:
        earlier = {tuple(sorted(job)) for job in jobs}
        jobs += [job for job in combinations(grid) if tuple(sorted(job)) not in earlier]
    return jobs


def swept_keys(overrides: Sequence[Override]) -> list[str]:
    """Return the keys with several values."""
    return [o.get_key_element() for o in overrides if o.is_sweep_override()]


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """Return one list of single-valued overrides a job. Raises UserError for a continuous range."""
    return [list(job) for job in itertools.product(*map(_choices, overrides))]


def _choices(override: Override) -> list[str]:
    written = override.input_line or ""
    if not override.is_sweep_override():
        return [written]
    if not override.is_discrete_sweep():
        raise UserError(f"{written} is a continuous range: name the values to try")
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
