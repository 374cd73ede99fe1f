"""From overrides with several values to the list of jobs: every combination, in the order written."""

import itertools
from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from tangsweep.errors import UserError


def union(
    grids: Sequence[Mapping[str, str]], arguments: Sequence[str], config_loader: ConfigLoader | None = None
) -> list[list[Override]]:
    """The sweep file's grids, each narrowed by the command line, which adds what is new to all of them.

    What the command line says of a key stands in the place of every grid's values, but where the grids
    differ in that key and some hold a value that it names: then it chooses among them, and a grid that
    holds none falls away. The loader lets `optimizer=glob(*)` look up what exists.
    """
    parser = OverridesParser.create(config_loader)
    given = {o.get_key_element(): o for o in parser.parse_overrides(list(arguments))}
    found = [
        {o.get_key_element(): o for o in parser.parse_overrides([f"{k}={v}" for k, v in grid.items()])}
        for grid in grids
    ]
    for key, override in given.items():
        held = [_choices(grid[key]) if key in grid else None for grid in found]
        wanted = _choices(override)
        chosen = [wanted if h is None else [choice for choice in wanted if choice in h] for h in held]
        if any(h != held[0] for h in held) and any(chosen):
            pairs = [(grid, picked) for grid, picked in zip(found, chosen, strict=True) if picked]
            found = [grid | {key: _rejoined(parser, picked)} for grid, picked in pairs]
        else:
            found = [grid | {key: override} for grid in found]
    return [list(grid.values()) for grid in found]


def _rejoined(parser: OverridesParser, choices: Sequence[str]) -> Override:
    """One override with several values again."""
    key = choices[0].partition("=")[0]
    return parser.parse_override(f"{key}={','.join(choice.partition('=')[2] for choice in choices)}")


def every_job(grids: Sequence[Sequence[Override]]) -> list[list[str]]:
    """The jobs of all grids, a job that an earlier grid held left out."""
    jobs: list[list[str]] = []
    for grid in grids:
        before = {tuple(sorted(job)) for job in jobs}
        jobs += [job for job in expand(grid) if tuple(sorted(job)) not in before]
    return jobs


def swept_keys(overrides: Sequence[Override]) -> list[str]:
    """The keys with several values."""
    return [o.get_key_element() for o in overrides if o.is_sweep_override()]


def expand(overrides: Sequence[Override]) -> list[list[str]]:
    """One list of single-valued overrides a job. Raises UserError for a continuous range."""
    return [list(job) for job in itertools.product(*map(_choices, overrides))]


def _choices(override: Override) -> list[str]:
    written = override.input_line or ""
    if not override.is_sweep_override():
        return [written]
    if not override.is_discrete_sweep():
        raise UserError(f"{written} is a continuous range: name the values to try")
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
