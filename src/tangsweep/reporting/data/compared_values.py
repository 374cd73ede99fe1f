"""What a report compares: the value that a run stands for, such as its optimizer."""

from collections.abc import Mapping, Sequence

from tangsweep.config.overrides import DATA_GROUPS, varied_keys, varied_values
from tangsweep.reporting.data.run_files import FlatConfig
from tangsweep.runs.record import Record


def compared_values(
    groups: Mapping[str, str], configs: Mapping[str, FlatConfig], records: Mapping[str, Record]
) -> dict[str, str]:
    """Return the compared value of each run, `adam`; the runs of one of `groups` have one value.

    Texts and their sizes are no values: a model stands for the same on each. Where nothing else is compared,
    each group is a value of its own.
    """
    overrides = {run: varied_values(record.overrides or []) for run, record in records.items()}
    keys = varied_keys(list(overrides.values()), named_comparison(list(overrides), configs)).compared
    keys = [key for key in keys if key.partition(".")[0] not in DATA_GROUPS]
    if not keys:
        return dict(groups)
    of_group = {groups[run]: join_values(values, keys) for run, values in overrides.items()}
    return {run: of_group.get(group, group) for run, group in groups.items()}


def named_comparison(runs: Sequence[str], configs: Mapping[str, FlatConfig]) -> list[str] | None:
    """Return the keys that `sweep.compare` names; None where no run's config does."""
    named = (configs[run].get("sweep.compare") for run in runs)
    return next((list(map(str, keys)) for keys in named if isinstance(keys, list)), None)


def join_values(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return `adam gru` for choices of files, `hidden_size=64` for other keys."""
    present = [key for key in keys if key in values]
    parts = [values[key] if "." not in key else join_settings(values, [key]) for key in present]
    return " ".join(parts) or "default"


def join_settings(values: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return `lr=0.001 optimizer=adam`, every value with its key."""
    return " ".join(f"{key.rpartition('.')[2]}={values[key]}" for key in keys if key in values) or "default"
