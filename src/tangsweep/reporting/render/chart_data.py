"""The rows of charts by columns, a third as long as rows that repeat every name; page.html inverts it."""

from pydantic import JsonValue

from tangsweep.reporting.blocks import VegaLiteSpec


def compact_datasets(spec: VegaLiteSpec) -> VegaLiteSpec:
    """Return the specification with each of its `datasets` as {"rows": count, "columns": {name: column}}.

    A column of texts is {"texts": distinct ones, "places": one for each row}; null stands for no value.
    """
    datasets = spec.get("datasets")
    if not isinstance(datasets, dict):
        return spec
    return spec | {"datasets": {name: _by_columns(rows) for name, rows in datasets.items()}}


def _by_columns(rows: JsonValue) -> JsonValue:
    if not isinstance(rows, list):
        return rows
    objects = [row for row in rows if isinstance(row, dict)]
    names = dict.fromkeys(name for row in objects for name in row)
    columns: dict[str, JsonValue] = {name: _column([row.get(name) for row in objects]) for name in names}
    return {"rows": len(objects), "columns": columns}


def _column(values: list[JsonValue]) -> JsonValue:
    if not all(isinstance(value, str | None) for value in values):
        return [int(v) if isinstance(v, float) and v.is_integer() and abs(v) < 2**53 else v for v in values]
    places: dict[JsonValue, int] = {}
    coded: list[JsonValue] = [None if v is None else places.setdefault(v, len(places)) for v in values]
    return {"texts": list(places), "places": coded}
