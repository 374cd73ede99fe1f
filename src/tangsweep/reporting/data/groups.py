"""Group runs that differ in nothing but their seed, and give each group a readable name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tangsweep.config.identity import has_value_before
from tangsweep.config.overrides import distinguishes_runs, varied_values
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record

NULL_WORDS = ("", "null", "none", "nan", "na", "n/a")  # pandas would read such a group name as missing

# Sorted pairs of a config key and the repr of its value, without the seed and other keys that do not count.
Signature = tuple[tuple[str, str], ...]


def group_names(configs: Mapping[str, FlatConfig], records: Mapping[str, Record]) -> dict[str, str]:
    """Return the name of every run's group; runs without a record belong to groups too.

    Configs of one group are equal but for seeds and volatile keys. A name holds the overrides whose values
    differ between groups. Where two groups would have the same name, the config keys that differ are added.
    """
    signatures = {run: _signature(config) or (("run", run),) for run, config in configs.items()}
    members: dict[Signature, list[str]] = defaultdict(list)
    for run, signature in signatures.items():
        members[signature].append(run)
    overrides = {signature: _first_overrides(runs, records) for signature, runs in members.items()}
    names = {signature: name or members[signature][0] for signature, name in _short_names(overrides).items()}
    unique = _disambiguate(names, {signature: configs[runs[0]] for signature, runs in members.items()})
    return {run: unique[signature] for run, signature in signatures.items()}


def constant_parts(
    runs: Sequence[str], configs: Mapping[str, FlatConfig], records: Mapping[str, Record]
) -> list[str]:
    """Return what all of these `runs` override alike and others do not, such as `length=10`, as in names."""
    values = {run: varied_values(records[run].overrides or []) for run in configs if run in records}
    own = [values[run] for run in runs if run in values]
    shared = {key for key in own[0] if all(v.get(key) == own[0][key] for v in own)} if own else set()
    return [_name_part(key, own[0][key]) for key in differing_keys(list(values.values())) if key in shared]


def _signature(config: FlatConfig) -> Signature:
    """Keys that were added to the config later count only where their value differs from what was before."""
    items = ((key, value) for key, value in config.items() if not has_value_before(key, value))
    return tuple(sorted((key, repr(value)) for key, value in items if distinguishes_runs(key)))


def _first_overrides(runs: Sequence[str], records: Mapping[str, Record]) -> dict[str, str] | None:
    """Return the overrides of the first run with a record."""
    overrides = (varied_values(records[run].overrides or []) for run in runs if run in records)
    return next(overrides, None)


def _short_names(overrides: Mapping[Signature, Mapping[str, str] | None]) -> dict[Signature, str]:
    """Return empty names for groups without a record, `default` where no varied key was overridden."""
    keys = differing_keys([values for values in overrides.values() if values is not None])
    names = {}
    for signature, values in overrides.items():
        parts = [] if values is None else [_name_part(key, values[key]) for key in keys if key in values]
        names[signature] = "" if values is None else " ".join(parts) or "default"
    return names


def _name_part(key: str, value: str) -> str:
    """Return `adam` for optimizer=adam, `lr=0.1` for optimizer.lr=0.1, `scheduler=null` for a null word.

    A number names no file, so it keeps its key as well: `order_seed=1`.
    """
    is_choice = "." not in key and value.lower() not in NULL_WORDS and not value.isdecimal()
    return value if is_choice else f"{key.rpartition('.')[2]}={value}"


def differing_keys(overrides: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the keys whose values differ, or that only some of the mappings have."""
    keys = dict.fromkeys(key for values in overrides for key in values)
    return [key for key in keys if len({values.get(key) for values in overrides}) > 1]


def differs_between(key: str, configs: Iterable[FlatConfig]) -> bool:
    """Return whether `key` has more than one value in the configs; a missing key counts as None."""
    return len({repr(config.get(key)) for config in configs}) > 1


def remove_key(group: str, key: str) -> str:
    """Return a group's name without the part of `key`: `adam` for `adam lr=0.1` or `adam (lr=0.1)`.

    The name is `all` where nothing is left, or only `default`.
    """
    rest = re.sub(rf"(?<![^ (]){re.escape(key)}=[^ )]*", "", group)
    rest = " ".join(rest.replace("( ", "(").replace(" )", ")").replace("()", "").split())
    return "all" if rest in ("", "default") else rest


def _disambiguate(
    names: Mapping[Signature, str], configs: Mapping[Signature, FlatConfig]
) -> dict[Signature, str]:
    by_name: dict[str, list[Signature]] = defaultdict(list)
    for signature, name in names.items():
        by_name[name].append(signature)
    unique: dict[Signature, str] = {}
    for name, signatures in by_name.items():
        same_named = {signature: configs[signature] for signature in signatures}
        keys = dict.fromkeys(key for config in same_named.values() for key in config)
        differing = [
            key for key in keys if distinguishes_runs(key) and differs_between(key, same_named.values())
        ]
        for signature, config in same_named.items():
            values = " ".join(f"{key.rpartition('.')[2]}={config.get(key)}" for key in differing)
            unique[signature] = f"{name} ({values})" if values else name
    return unique
