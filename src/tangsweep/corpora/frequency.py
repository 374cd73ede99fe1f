"""Sine waves, sampled at known times, to be told apart by their period (Neil, Pfeiffer and Liu 2016)."""

from typing import NamedTuple

import numpy as np

NAME = "frequency"
VERSION = 1  # raise it whenever the same settings would give other waves
SAMPLINGS = {"regular": 1.0, "oversampled": 0.1, "random": None}  # time units between two samples
PERIODS, TARGET = (1.0, 100.0), (5.0, 6.0)
SHORTEST, LONGEST = 15, 125  # duration in time units; of random sampling also the number of samples


class Waves(NamedTuple):
    """Samples of N waves, padded behind each wave's end; times there repeat its last one."""

    values: np.ndarray  # (N, T), 0 behind the end
    times: np.ndarray  # (N, T), never decreasing
    lengths: np.ndarray  # (N,)
    inside: np.ndarray  # (N,) 1 where the period lies in TARGET, else 0


def draw(count: int, sampling: str, random: np.random.Generator) -> Waves:
    """`count` waves of random phase, half of them of each class, give or take one.

    A wave lasts 15 to 125 time units and begins so that it ends by 125. It is sampled every time unit
    (`regular`), ten times as often (`oversampled`), or at 15 to 125 times drawn from its duration
    (`random`). Periods are log-uniform, within TARGET or within PERIODS without it.
    """
    inside = random.permutation(np.arange(count) % 2)
    period = np.where(inside == 1, _log_uniform(*TARGET, random, count), _outside(random, count))
    duration = random.uniform(SHORTEST, LONGEST, count)
    start = random.uniform(0, LONGEST - duration)
    lengths, offsets = _sampled(sampling, duration, random)
    behind = np.arange(offsets.shape[1]) >= lengths[:, None]
    last = offsets[np.arange(count), lengths - 1]
    times = start[:, None] + np.where(behind, last[:, None], offsets)
    phase = random.uniform(0, 2 * np.pi, count)
    values = np.sin(2 * np.pi * times / period[:, None] + phase[:, None])
    return Waves(np.where(behind, 0.0, values), times, lengths, inside)


def _sampled(
    sampling: str, duration: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """How many samples each wave has, and their times (N, T) since its start."""
    resolution = SAMPLINGS[sampling]
    if resolution is not None:
        lengths = np.floor(duration / resolution).astype(int)
        return lengths, np.broadcast_to(np.arange(lengths.max()) * resolution, (len(duration), lengths.max()))
    lengths = random.integers(SHORTEST, LONGEST + 1, len(duration))
    times = random.uniform(0, duration[:, None], (len(duration), int(lengths.max())))
    times[np.arange(times.shape[1]) >= lengths[:, None]] = np.inf  # sorted behind the end
    times.sort(axis=1)
    return lengths, times


def _outside(random: np.random.Generator, count: int) -> np.ndarray:
    """Log-uniform over PERIODS, TARGET cut out."""
    below, above = np.log(TARGET[0] / PERIODS[0]), np.log(PERIODS[1] / TARGET[1])
    position = random.uniform(0, below + above, count)
    shifted = np.where(position < below, position, position + np.log(TARGET[1] / TARGET[0]))
    return PERIODS[0] * np.exp(shifted)


def _log_uniform(low: float, high: float, random: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(random.uniform(np.log(low), np.log(high), count))
