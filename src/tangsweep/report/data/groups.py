"""Which runs belong together: what was varied but the seed, under a name that one can read."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tangsweep.config import identity, overrides
from tangsweep.report.data import run_table

NOTHING = ("", "null", "none", "nan", "na", "n/a")


def grouped(
    configs: Mapping[str, Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Run → the name of its group: runs whose configs are the same but for seeds and what is volatile.

    Also of runs without a record. The name holds the overrides whose values differ between groups; where
    two groups would have one name, the keys of the config that tell them apart.
    """
    signatures = {run: _signature(config) or (run,) for run, config in configs.items()}
    members: dict[Any, list[str]] = defaultdict(list)
    for run, signature in signatures.items():
        members[signature].append(run)
    chosen = {signature: _chosen(found, results) for signature, found in members.items()}
    names = {signature: name or members[signature][0] for signature, name in _names(chosen).items()}
    told = _told_apart(names, {signature: configs[found[0]] for signature, found in members.items()})
    return {run: told[signature] for run, signature in signatures.items()}


def _signature(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a run is but for its seed; a key that came later counts where it says something new."""
    kept = ((k, v) for k, v in config.items() if not identity.has_value_before(k, v))
    return tuple(sorted((k, repr(v)) for k, v in kept if overrides.distinguishes_runs(k)))


def _chosen(runs: Sequence[str], results: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """Of the first run that has a record."""
    found = (overrides.varied_values(run_table.overridden(results[run])) for run in runs if run in results)
    return next(found, None)


def _names(chosen: Mapping[Any, Mapping[str, str] | None]) -> dict[Any, str]:
    known = [given for given in chosen.values() if given is not None]
    return {signature: _name(given, varied(known)) for signature, given in chosen.items()}


def varied(chosen: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys whose values differ, or that only some have."""
    keys = dict.fromkeys(key for given in chosen for key in given)
    return [key for key in keys if len({given.get(key) for given in chosen}) > 1]


def _name(given: Mapping[str, str] | None, varied: Sequence[str]) -> str:
    """Empty where no record tells; `default` where nothing that varies was overridden."""
    if given is None:
        return ""
    return " ".join(_part(key, given[key]) for key in varied if key in given) or "default"


def _part(key: str, value: str) -> str:
    """`adam` of optimizer=adam, `lr=0.1` of optimizer.lr=0.1; never a word that a table reads as nothing."""
    named = "." not in key and value.lower() not in NOTHING
    return value if named else f"{key.rpartition('.')[2]}={value}"


def without(group: str, key: str) -> str:
    """The name of a group without the part of `key`, `lr` of `adam lr=0.1` or `adam (lr=0.1)`.

    `all` where nothing is left, or only that nothing was overridden.
    """
    left = re.sub(rf"(?<![^ (]){re.escape(key)}=[^ )]*", "", group)
    left = " ".join(left.replace("( ", "(").replace(" )", ")").replace("()", "").split())
    return "all" if left in ("", "default") else left


def _told_apart(names: Mapping[Any, str], configs: Mapping[Any, Mapping[str, Any]]) -> dict[Any, str]:
    alike: dict[str, list[Any]] = defaultdict(list)
    for signature, name in names.items():
        alike[name].append(signature)
    told: dict[Any, str] = {}
    for name, same in alike.items():
        keys = dict.fromkeys(key for signature in same for key in configs[signature])
        apart = [
            key
            for key in keys
            if overrides.distinguishes_runs(key) and len({repr(configs[s].get(key)) for s in same}) > 1
        ]
        for signature in same:
            values = " ".join(f"{key.rpartition('.')[2]}={configs[signature].get(key)}" for key in apart)
            told[signature] = f"{name} ({values})" if values else name
    return told
