"""What a run was asked for: Hydra's overrides, `key=value` each."""

from collections.abc import Sequence

from tangsweep.config import identity

SEEDS = ("seed",)
PRESETS = ("sweeps",)  # a file that only names other overrides


def distinguishes_runs(key: str) -> bool:
    """Whether what `key` says can set runs apart by more than their seed."""
    return key not in SEEDS and not identity.is_volatile(key)


def varied_values(overrides: Sequence[str]) -> dict[str, str]:
    """Key → value of what can change a result, but for the seed: `{"optimizer": "adam"}`."""
    parts = (override.lstrip("+~").partition("=") for override in overrides)
    return {key: value for key, _, value in parts if key and key not in PRESETS and distinguishes_runs(key)}


def variant(overrides: Sequence[str]) -> str:
    """The same as one line, `optimizer=adam optimizer.lr=0.1`: equal for runs that differ in their seed."""
    return " ".join(f"{key}={value}" for key, value in sorted(varied_values(overrides).items())) or "default"
