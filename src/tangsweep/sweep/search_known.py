"""Settings that a search was told to try first (`search.known`)."""

import shlex
from collections.abc import Mapping, Sequence

from tangsweep.errors import UserError
from tangsweep.runs.search_log import Setting
from tangsweep.sweep.search_space import Branch, Choice, Parameter, Space


def read_known_settings(texts: Sequence[str], space: Space) -> dict[str, list[Setting]]:
    """Return the settings by their arm; each text is overrides, such as `optimizer=adam optimizer.lr=0.003`.

    A setting may leave out parameters, which are proposed. Raises UserError for one that fits no branch of
    the space, or several.
    """
    settings: dict[str, list[Setting]] = {}
    for text in texts:
        values = _read_overrides(text)
        fitting = [
            (arm.name, place)
            for arm in space
            for place, branch in enumerate(arm.branches)
            if _fits(branch, values)
        ]
        if len(fitting) != 1:
            problem = (
                "fits no value of the space" if not fitting else f"fits {len(fitting)} values of the space"
            )
            raise UserError(f"search.known: {text} {problem}: name a value of each key, as in the space")
        [(name, place)] = fitting
        branch = next(arm for arm in space if arm.name == name).branches[place]
        own = {p.key: _normal_text(p, values[p.key]) for p in branch.parameters if p.key in values}
        settings.setdefault(name, []).append(Setting(name, place, own))
    return settings


def _read_overrides(text: str) -> dict[str, str]:
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise UserError(f"search.known: {text} cannot be read ({error})") from None
    if not pairs or any(not equals for _, equals, _ in pairs):
        raise UserError(f"search.known: {text} is no list of overrides: write key=value key=value")
    return {key: value for key, _, value in pairs}


def _fits(branch: Branch, values: Mapping[str, str]) -> bool:
    parameters = {parameter.key: parameter for parameter in branch.parameters}
    return all(
        _holds(parameters[key], value) if key in parameters else f"{key}={value}" in branch.fixed
        for key, value in values.items()
    )


def _holds(parameter: Parameter, text: str) -> bool:
    if isinstance(parameter, Choice):
        return text in parameter.values
    try:
        return parameter.low <= float(text) <= parameter.high
    except ValueError:
        return False


def _normal_text(parameter: Parameter, text: str) -> str:
    """Return a value as proposals have it: 1e-3 is 0.001."""
    return text if isinstance(parameter, Choice) else parameter.text(float(text))
