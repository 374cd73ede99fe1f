"""Render a table as CSV, whose text cells a spreadsheet shows and never runs."""

import pandas as pd

FORMULA_SIGNS = ("=", "+", "-", "@")  # a cell that begins with one is a formula to a spreadsheet


def render_csv(table: pd.DataFrame) -> str:
    """Return the table without its index; text cells that would be formulas begin with an apostrophe."""
    texts = {
        name: column.map(_neutral_cell)
        for name, column in table.items()
        if not pd.api.types.is_numeric_dtype(column.dtype)
    }
    return str(table.assign(**{str(name): column for name, column in texts.items()}).to_csv(index=False))


def _neutral_cell(value: object) -> object:
    if not isinstance(value, str) or not value.lstrip().startswith(FORMULA_SIGNS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
