"""Time and memory of one gradient by BPTT and by RTRL, as the sequence length T grows.

python benchmarks/rtrl.py
"""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from tangsweep.analytic import lstm, rtrl
from tangsweep.analytic.language_model import Weights, bptt

V, B, E, H = 20, 1, 8, 12
LENGTHS = (10, 20, 40, 80, 160)
REPEATS = 3


def random_problem(T: int) -> tuple[Any, ...]:
    """Return weights, ids, targets, importance and a zero state for sequences of length T."""
    random = np.random.default_rng(0)
    cell = lstm.Parameters(*(random.standard_normal(s) * 0.3 for s in ((E, 4 * H), (H, 4 * H), 4 * H)))
    weights = Weights(random.standard_normal((V, E)), cell, random.standard_normal((V, H)), np.zeros(V))
    ids = random.integers(V, size=(2, T, B))
    return weights, ids[0], ids[1], np.ones((T, B)), np.zeros((B, H)), np.zeros((B, H))


def measure_method(method: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[float, float]:
    """Return the fastest of a few calls in milliseconds, and the peak of allocated memory in KiB."""
    method(*arguments)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        method(*arguments)
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    method(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return min(times) * 1e3, peak / 1024


def main() -> None:
    print(f"one sequence, V={V}, E={E}, H={H}, float64\n")
    print("| T | BPTT ms | RTRL ms | BPTT KiB | RTRL KiB |\n|---|---|---|---|---|")
    for T in LENGTHS:
        (a_ms, a_kib), (b_ms, b_kib) = (measure_method(m, random_problem(T)) for m in (bptt, rtrl.rtrl))
        print(f"| {T} | {a_ms:.1f} | {b_ms:.1f} | {a_kib:.0f} | {b_kib:.0f} |")


if __name__ == "__main__":
    main()
