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
