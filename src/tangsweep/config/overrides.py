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
    groups = [key.partition(".")[0] for key in varied]
    if compare is None:
        is_compared = [
            group == key or group in DATA_GROUPS for key, group in zip(varied, groups, strict=True)
        ]
    else:
        is_compared = [key in compare for key in varied]
    pairs = list(zip(varied, is_compared, strict=True))
    compared = [key for key, chosen in pairs if chosen]
    return VariedKeys(compared, [key for key, chosen in pairs if not chosen] if compared else [])


def variant(overrides: Sequence[str]) -> str:
    """Return the same as one line, `optimizer=adam optimizer.lr=0.1`: equal for runs that differ in their
    seed.
    """
    return " ".join(f"{key}={value}" for key, value in sorted(varied_values(overrides).items())) or "default"
