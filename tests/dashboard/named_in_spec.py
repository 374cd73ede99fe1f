"""Find every metric, config key, table and run that a dashboard's JSON names."""

import re
from typing import Any, NamedTuple


class NamesInSpec(NamedTuple):
    """W&B's names in history, summary and config, and the ids of the runs that are filtered for."""

    ids: frozenset[str]
    history: frozenset[str]
    summary: frozenset[str]
    config: frozenset[str]


def names_in(spec: Any) -> NamesInSpec:
    """Return the names in the spec of a workspace or a report, or in a part of it."""
    names: dict[str, set[str]] = {"ids": set(), "history": set(), "summary": set(), "config": set()}
    for node in walk(spec):
        _add_filters(node, names)
        _add_panel(node, names)
    return NamesInSpec(**{kind: frozenset(values) for kind, values in names.items()})


def walk(node: Any) -> list[dict[str, Any]]:
    """Return all mappings in a JSON value."""
    if isinstance(node, list):
        return [inner for item in node for inner in walk(item)]
    if isinstance(node, dict):
        return [node, *walk(list(node.values()))]
    return []


def _add_filters(node: dict[str, Any], names: dict[str, set[str]]) -> None:
    if node.get("op") == "IN" and node["key"] == {"section": "run", "name": "name"}:
        names["ids"] |= set(node["value"])
    for key in node.get("grouping", []):
        assert key["section"] == "config"
        names["config"].add(_config_key(key["name"]))


def _add_panel(node: dict[str, Any], names: dict[str, set[str]]) -> None:
    config = node.get("config", {})
    match node.get("viewType"):
        case "Run History Line Plot":
            names["history"] |= {config["xAxis"], *config["metrics"]}
        case "Bar Chart":
            names["summary"] |= {name.removeprefix("summary_metrics.") for name in config["metrics"]}
        case "Scatter Plot":
            _add_accessors([config["xAxis"], config["yAxis"]], names)
        case "Parallel Coordinates Plot":
            _add_accessors([column["accessor"] for column in config["columns"]], names)
        case "Weave":
            names["summary"] |= set(re.findall(r"'val': '([^']+)'", str(config)))
        case None:
            return
        case other:
            raise AssertionError(f"a panel of another kind: {other}")


def _add_accessors(accessors: list[str], names: dict[str, set[str]]) -> None:
    for accessor in accessors:
        kind, _, name = accessor.partition(":")
        names[kind].add(_config_key(name) if kind == "config" else name)


def _config_key(name: str) -> str:
    """Return `optimizer.lr` for `optimizer.value.lr`."""
    return name.replace(".value", "", 1)
