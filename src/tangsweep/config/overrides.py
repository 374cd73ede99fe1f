"""Hydra's overrides of a run, `key=value` each, and what tells one run from another."""

from collections.abc import Sequence

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


def variant(overrides: Sequence[str]) -> str:
    """Return the same as one line, `optimizer=adam optimizer.lr=0.1`: equal for runs that differ in their
    seed.
    """
    return " ".join(f"{key}={value}" for key, value in sorted(varied_values(overrides).items())) or "default"
