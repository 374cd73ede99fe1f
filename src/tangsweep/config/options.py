"""How a config key is declared, and how a group of keys is validated with errors of one line."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from tangsweep.config.value_types import describe_valid_values, suggest
from tangsweep.errors import UserError, unknown_key

_REQUIRED: Any = ...
_Group = TypeVar("_Group", bound="Options")


class Options(BaseModel):
    """Base class of every config group: strict types, no unknown keys, immutable.

    Values are checked, never converted: `epochs: "3"` and `epochs: 3.0` are errors, not the number 3.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        protected_namespaces=(),
    )


def option(
    description: str,
    *,
    default: Any = _REQUIRED,
    volatile: bool = False,
    value_before: Any = _REQUIRED,
    **constraints: Any,
) -> Any:
    """Declare one config key.

    Args:
        description: one line for docs/configuration.md.
        default: the value where a config file lacks the key; without one the key is required.
        volatile: the key cannot change a run's result, so it is no part of the run's identity.
        value_before: for keys that were added after the first runs were recorded, the value that means
            "as it was before": with it, the key does not change the run's identity.
        constraints: those of `pydantic.Field`, such as `ge=1`.
    """
    marks: dict[str, Any] = {"volatile": volatile}
    if value_before is not _REQUIRED:
        marks["value_before"] = value_before
    return Field(default, description=description, json_schema_extra=marks, **constraints)


def is_marked_volatile(field: FieldInfo) -> bool:
    """Return whether `option` declared the key as volatile."""
    return bool(_marks(field).get("volatile"))


def value_before(field: FieldInfo) -> tuple[Any, ...]:
    """Return the key's value from before it existed, as a tuple of one; an empty tuple for old keys."""
    marks = _marks(field)
    return (marks["value_before"],) if "value_before" in marks else ()


def _marks(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def validate_group(group: type[_Group], values: object, prefix: str = "") -> _Group:
    """Return `values` as an instance of `group`.

    `prefix` is the group's name in the config, such as `trainer`. Raises UserError, one line with the key,
    its value and what is valid, for the first value that is wrong.
    """
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise UserError(_error_line(group, values, error, prefix)) from None


def _error_line(group: type[Options], values: object, error: ValidationError, prefix: str) -> str:
    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"] if not isinstance(part, int)]
    model, field, path = _field_at(group, location)
    key = ".".join([*([prefix] if prefix else []), *path])
    if field is None:
        names = [f.alias or name for name, f in model.model_fields.items()]
        return unknown_key(key, names)
    valid = describe_valid_values(field)
    if first["type"] == "missing" and len(path) == len(first["loc"]):
        return f"{key} is missing: it must be {valid}"
    value = values
    for name in path:  # of a list with a wrong item the whole list is shown
        value = value.get(name) if isinstance(value, Mapping) else value
    return f"{key}={format_value(value)} is invalid: it must be {valid}{suggest(value, field)}"


def _field_at(group: type[Options], location: list[str]) -> tuple[type[Options], FieldInfo | None, list[str]]:
    """Follow a location into nested groups: the innermost group, its field (None: unknown key), the path."""
    path: list[str] = []
    field: FieldInfo | None = None
    for name in location:
        by_alias = {f.alias or own: f for own, f in group.model_fields.items()}
        path.append(name)
        if name not in by_alias:
            return group, None, path
        field = by_alias[name]
        nested = field.annotation
        if not (isinstance(nested, type) and issubclass(nested, Options)):
            break  # what follows names a member of a union or an item of a list
        group = nested
    return group, field, path


def format_value(value: object) -> str:
    """Format a value as the command line would have it; text that looks like a number has quotes."""
    if isinstance(value, str) and value.replace(".", "", 1).lstrip("+-").isdigit():
        return repr(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
