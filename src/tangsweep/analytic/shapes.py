"""Arrays that do not fit are named before NumPy broadcasts them into a wrong answer."""

import numpy as np


def expect(name: str, array: np.ndarray, *shape: int | None) -> None:
    """Raises ValueError, naming the array, unless it has `shape`; None fits any length."""
    fits = array.ndim == len(shape) and all(
        wanted in (None, got) for wanted, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if axis is None else str(axis) for axis in shape)
        raise ValueError(f"{name}: expected shape ({wanted}), got {array.shape}")


def expect_ids(name: str, ids: np.ndarray, lowest: int, count: int) -> None:
    """Raises ValueError, naming the array, unless all of `ids` lie from `lowest` to below `count`."""
    if ids.size and not (lowest <= ids.min() and ids.max() < count):
        raise ValueError(f"{name}: expected ids from {lowest} to {count - 1}, got {ids.min()} to {ids.max()}")


def expect_some(name: str, array: np.ndarray) -> None:
    """Raises ValueError, naming the array, where an axis has no entry."""
    if 0 in array.shape:
        raise ValueError(f"{name}: expected at least one entry along every axis, got {array.shape}")
