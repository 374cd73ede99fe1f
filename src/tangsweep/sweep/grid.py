"""From overrides with several values to the list of jobs: every combination, in the order written."""

import itertools
from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from tangsweep.errors import UserError


def merged(
    params: Mapping[str, str], arguments: Sequence[str], config_loader: ConfigLoader | None = None
) -> list[Override]:
    """The sweep file's parameters, each replaced by the command line's word on the same key.

    The loader lets `optimizer=glob(*)` look up what exists.
    """
    written = [f"{key}={value}" for key, value in params.items()]
    parsed = OverridesParser.create(config_loader).parse_overrides([*written, *arguments])
    return list({override.get_key_element(): override for override in parsed}.values())


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
