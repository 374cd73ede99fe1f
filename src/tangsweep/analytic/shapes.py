"""Array types, and checks that name an array that does not fit before NumPy broadcasts it silently."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IdArray = NDArray[np.integer]  # ids of tokens


def expect_shape(name: str, array: FloatArray | IdArray, *shape: int | None) -> None:
    """Raise ValueError, naming the array, unless it has `shape`; None fits any length."""
    fits = array.ndim == len(shape) and all(
        expected in (None, actual) for expected, actual in zip(shape, array.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if axis is None else str(axis) for axis in shape)
        raise ValueError(f"{name}: expected shape ({expected}), got {array.shape}")


def expect_ids(name: str, ids: IdArray, lowest: int, count: int) -> None:
    """Raise ValueError, naming the array, unless all of `ids` lie from `lowest` to `count` − 1."""
    if ids.size and not (lowest <= ids.min() and ids.max() < count):
        raise ValueError(f"{name}: expected ids from {lowest} to {count - 1}, got {ids.min()} to {ids.max()}")


def expect_nonempty(name: str, array: FloatArray | IdArray) -> None:
    """Raise ValueError, naming the array, where an axis has length 0."""
    if 0 in array.shape:
        raise ValueError(f"{name}: expected at least one entry along every axis, got {array.shape}")
