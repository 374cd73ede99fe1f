"""Hydra's overrides of a run, `key=value` each, and what tells one run from another."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tangsweep.config import identity

SEED_KEYS = ("seed",)
PRESET_KEYS = ("sweeps",)  # a file that only names other overrides


def distinguishes_runs(key: str) -> bool:
    """Return whether `key` can make two runs differ by more than their seed."""
    return key not in SEED_KEYS and not identity.is_volatile(key)


def varied_values(overrides: Sequence[str]) -> dict[str, str]:
    """Return key → value of what can change a result, without the seed: `{"optimizer": "adam"}`."""
    parts = (override.lstrip("+~").partition("=") for override in overrides)
    return {
        key: value for key, _, value in parts if key and key not in PRESET_KEYS and distinguishes_runs(key)
    }


DATA_GROUPS = ("data", "corpus")  # what runs are scored on: never tuned


class VariedKeys(NamedTuple):
    """The keys of which the runs of a sweep have several values."""

    compared: list[str]
    tuned: list[str]  # for each value of those the best is chosen


def varied_keys(runs: Sequence[Mapping[str, str]], compare: Sequence[str] | None) -> VariedKeys:
    """Split the keys that differ between runs, given as key → value, into those compared and those tuned.

    Compared are the keys `compare`; None: choices of files, such as `optimizer`, and keys of the data. Where
    nothing would be compared, nothing is tuned.
    """
    keys = dict.fromkeys(key for values in runs for key in values)
    varied = [key for key in keys if len({values.get(key) for values in runs}) > 1]
    compared = [key for key in varied if is_compared_key(key, compare)]
    return VariedKeys(compared, [key for key in varied if key not in compared] if compared else [])


def is_compared_key(key: str, compare: Sequence[str] | None) -> bool:
    """Return whether a key that is varied is compared; `compare` is as in `varied_keys`."""
    group = key.partition(".")[0]
    return group == key or group in DATA_GROUPS if compare is None else key in compare


def variant(overrides: Sequence[str]) -> str:
    """Return the same as one line, `optimizer=adam optimizer.lr=0.1`: equal for runs that differ in their
    seed.
    """
    return " ".join(f"{key}={value}" for key, value in sorted(varied_values(overrides).items())) or "default"
