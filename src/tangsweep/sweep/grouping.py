"""Which runs of a sweep belong together: what was varied, less what one averages or plots over."""

from collections.abc import Collection, Mapping, Sequence

from tangsweep.runs import identity


def groups(overrides: Mapping[str, Sequence[str]], without: Collection[str]) -> dict[str, str]:
    """A readable name for each run: the overrides whose values differ between runs, but for `without`."""
    given = {run: dict(o.partition("=")[::2] for o in written) for run, written in overrides.items()}
    keys = dict.fromkeys(key for values in given.values() for key in values)
    differing = [
        key for key in keys if key not in without and len({values.get(key) for values in given.values()}) > 1
    ]
    return {
        run: identity.slug([f"{key}={values[key]}" for key in differing if key in values])
        for run, values in given.items()
    }
