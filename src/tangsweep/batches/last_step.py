"""Sequences of which only the last step is scored: palindromes and waves."""

import numpy as np
import torch

from tangsweep.batches.batch import Batch
from tangsweep.corpora.frequency import Waves

AT_ONCE = 50_000  # time steps of all rows of an evaluation batch together


def of_palindromes(digits: np.ndarray) -> Batch:
    """(B, T) digits: the first T − 1 are read, the last one is asked for after them."""
    targets = np.full((len(digits), digits.shape[1] - 1), -1)
    targets[:, -1] = digits[:, -1]
    return Batch(torch.from_numpy(np.ascontiguousarray(digits[:, :-1])), torch.from_numpy(targets))


def of_waves(waves: Waves, time_input: bool) -> Batch:
    """The class of each wave, 1 inside the target periods, asked for at its last sample.

    Inputs (B, T, 1) are the samples, with `time_input` (B, T, 2) samples and their time stamps, which
    stand in `times` either way. Both are in torch's default float type.
    """
    kind = torch.get_default_dtype()
    targets = np.full(waves.values.shape, -1)
    targets[np.arange(len(targets)), waves.lengths - 1] = waves.inside
    read = [waves.values, waves.times] if time_input else [waves.values]
    return Batch(
        torch.from_numpy(np.stack(read, axis=-1)).to(kind),
        torch.from_numpy(targets),
        torch.from_numpy(waves.times).to(kind),
    )


def cut(batch: Batch, at_once: int = AT_ONCE) -> list[Batch]:
    """The rows of `batch` in batches of at most `at_once` time steps, for evaluation."""
    size = max(1, at_once // batch.inputs.shape[1])
    parts = [[None] * len(batch.inputs) if t is None else t.split(size) for t in batch[:3]]
    return [Batch(*part) for part in zip(*parts, strict=False)]
