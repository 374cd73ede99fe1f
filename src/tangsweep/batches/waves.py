"""Sine waves of two classes of periods: how they are drawn, and their batches (Neil, Pfeiffer and Liu 2016).

Importing this module imports no torch.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tangsweep.batches.synthetic import EncodedExamples, split_batch, synthetic_facts
from tangsweep.config.data_options import StreamDataOptions
from tangsweep.randomness import derive_seed

if TYPE_CHECKING:
    from tangsweep.batches.batch import Batch
    from tangsweep.batches.windows import StepwiseBatches

NAME = "frequency"
VERSION = 1  # raise it whenever the same settings would give other waves
SAMPLINGS = {"regular": 1.0, "oversampled": 0.1, "random": None}  # time units between two samples
PERIODS, TARGET = (1.0, 100.0), (5.0, 6.0)
SHORTEST, LONGEST = 15, 125  # duration in time units; of random sampling also the number of samples
CLASSES = ("outside", "inside")


class Waves(NamedTuple):
    """Samples of N waves, padded behind each wave's end; times there repeat its last one."""

    values: np.ndarray  # (N, T), 0 behind the end
    times: np.ndarray  # (N, T), never decreasing
    lengths: np.ndarray  # (N,)
    inside: np.ndarray  # (N,) 1 where the period lies in TARGET, else 0


def draw_waves(count: int, sampling: str, random: np.random.Generator) -> Waves:
    """Draw `count` waves of random phase, half of them of each class, give or take one.

    A wave lasts 15 to 125 time units and begins so that it ends by 125. It is sampled every time unit
    (`regular`), ten times as often (`oversampled`), or at 15 to 125 times drawn from its duration
    (`random`). Periods are log-uniform, within TARGET or within PERIODS without it.
    """
    inside = random.permutation(np.arange(count) % 2)
    period = np.where(inside == 1, _log_uniform(*TARGET, random, count), _outside_target(random, count))
    duration = random.uniform(SHORTEST, LONGEST, count)
    start = random.uniform(0, LONGEST - duration)
    lengths, offsets = _sample_times(sampling, duration, random)
    behind = np.arange(offsets.shape[1]) >= lengths[:, None]
    last = offsets[np.arange(count), lengths - 1]
    times = start[:, None] + np.where(behind, last[:, None], offsets)
    phase = random.uniform(0, 2 * np.pi, count)
    values = np.sin(2 * np.pi * times / period[:, None] + phase[:, None])
    return Waves(np.where(behind, 0.0, values), times, lengths, inside)


def wave_batch(waves: Waves, time_input: bool) -> "Batch":
    """Return a batch whose only target of each row is the wave's class, 1 inside TARGET, at its last sample.

    Inputs (B, T, 1) are the samples, with `time_input` (B, T, 2) samples and their time stamps, which
    stand in `times` either way. Both are in torch's default float type.
    """
    import torch

    from tangsweep.batches.batch import Batch

    dtype = torch.get_default_dtype()
    targets = np.full(waves.values.shape, -1)
    targets[np.arange(len(targets)), waves.lengths - 1] = waves.inside
    inputs = [waves.values, waves.times] if time_input else [waves.values]
    return Batch(
        torch.from_numpy(np.stack(inputs, axis=-1)).to(dtype),
        torch.from_numpy(targets),
        torch.from_numpy(waves.times).to(dtype),
    )


def waves_fingerprint(sampling: str) -> str:
    """Return what identifies the drawing rule in records."""
    return f"{NAME}-{VERSION}-{sampling}"


def encode_waves(sampling: str, time_input: bool, dev_size: int) -> EncodedExamples:
    """Return the facts and the baseline of a set of waves; the model predicts one of two classes."""
    facts = synthetic_facts(waves_fingerprint(sampling), dev_size, len(CLASSES), "classes")
    return EncodedExamples(CLASSES, 2 if time_input else 1, facts, {"uniform": float(len(CLASSES))})


def wave_batches(
    sampling: str, time_input: bool, data: StreamDataOptions, steps_per_epoch: int, seed: int
) -> "StepwiseBatches":
    """Return batches of waves, each drawn from (seed, step), and the evaluation set."""
    from tangsweep.batches.windows import StepwiseBatches

    def batch(count: int, batch_seed: int) -> "Batch":
        waves = draw_waves(count, sampling, np.random.default_rng(batch_seed))
        return wave_batch(waves, time_input)

    def draw(step: int) -> "Batch":
        return batch(data.batch_size, derive_seed(seed, NAME, step))

    evaluation_set = batch(data.dev_size, derive_seed(0, "frequency held out"))
    return StepwiseBatches(draw, steps_per_epoch, {"dev": split_batch(evaluation_set)})


def _sample_times(
    sampling: str, duration: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many samples each wave has, and their times (N, T) since its start."""
    resolution = SAMPLINGS[sampling]
    if resolution is not None:
        lengths = np.floor(duration / resolution).astype(int)
        return lengths, np.broadcast_to(np.arange(lengths.max()) * resolution, (len(duration), lengths.max()))
    lengths = random.integers(SHORTEST, LONGEST + 1, len(duration))
    times = random.uniform(0, duration[:, None], (len(duration), int(lengths.max())))
    times[np.arange(times.shape[1]) >= lengths[:, None]] = np.inf  # sorted behind the end
    times.sort(axis=1)
    return lengths, times


def _outside_target(random: np.random.Generator, count: int) -> np.ndarray:
    """Draw periods log-uniformly over PERIODS, TARGET cut out."""
    below, above = np.log(TARGET[0] / PERIODS[0]), np.log(PERIODS[1] / TARGET[1])
    position = random.uniform(0, below + above, count)
    shifted = np.where(position < below, position, position + np.log(TARGET[1] / TARGET[0]))
    return PERIODS[0] * np.exp(shifted)


def _log_uniform(low: float, high: float, random: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(random.uniform(np.log(low), np.log(high), count))
