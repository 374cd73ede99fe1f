"""Every metric, config key and table that a dashboard's JSON names, and of which runs."""

import re
from typing import Any, NamedTuple


class Named(NamedTuple):
    """`history`, `summary` and `config` are W&B's names; `ids` the runs that are filtered for."""

    ids: frozenset[str]
    history: frozenset[str]
    summary: frozenset[str]
    config: frozenset[str]


def named(shown: Any) -> Named:
    """Of a workspace's or a report's spec, or of a part of it."""
    found: dict[str, set[str]] = {"ids": set(), "history": set(), "summary": set(), "config": set()}
    for node in walk(shown):
        _filtered(node, found)
        _panel(node, found)
    return Named(**{kind: frozenset(names) for kind, names in found.items()})


def walk(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [inner for item in node for inner in walk(item)]
    if isinstance(node, dict):
        return [node, *walk(list(node.values()))]
    return []


def _filtered(node: dict[str, Any], found: dict[str, set[str]]) -> None:
    if node.get("op") == "IN" and node["key"] == {"section": "run", "name": "name"}:
        found["ids"] |= set(node["value"])
    for key in node.get("grouping", []):
        assert key["section"] == "config"
        found["config"].add(_config(key["name"]))


def _panel(node: dict[str, Any], found: dict[str, set[str]]) -> None:
    config = node.get("config", {})
    match node.get("viewType"):
        case "Run History Line Plot":
            found["history"] |= {config["xAxis"], *config["metrics"]}
        case "Bar Chart":
            found["summary"] |= {name.removeprefix("summary_metrics.") for name in config["metrics"]}
        case "Scatter Plot":
            _accessors([config["xAxis"], config["yAxis"]], found)
        case "Parallel Coordinates Plot":
            _accessors([column["accessor"] for column in config["columns"]], found)
        case "Weave":
            found["summary"] |= set(re.findall(r"'val': '([^']+)'", str(config)))
        case None:
            return
        case other:
            raise AssertionError(f"a panel of another kind: {other}")


def _accessors(accessors: list[str], found: dict[str, set[str]]) -> None:
    for accessor in accessors:
        kind, _, name = accessor.partition(":")
        found[kind].add(_config(name) if kind == "config" else name)


def _config(name: str) -> str:
    """`optimizer.lr` of `optimizer.value.lr`."""
    return name.replace(".value", "", 1)
