"""Time a training step against torch.nn.LSTM's: `make bench`, or `python benchmarks/step.py --help`.

"Theirs" is benchmarks/peer.py in a plain PyTorch loop, with torch's Adam. "Ours" is the model that a run
trains, with the optimizer that a run makes. Both are float32, unpacked, with gradients clipped at 5, and they
take turns. The ratio is their time over ours, pair by pair: above 1, ours is faster.

Three things are timed: the whole step on random sequences of full length; the whole step on poems in bucketed
batches with the same padding (全唐诗 where it is at hand, else the bundled sample); and the LSTM alone,
forward and backward.

Each shape is measured in a process of its own, as each run has its own: earlier allocations decide whether
the C library returns a step's large arrays to the system and then requests them again, page by page.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from sides import SHAPES, Batches, Shape, Sides, lstms_alone, poem_batches, random_batches, whole_steps

from tangsweep.kernels import matmul
from tangsweep.kernels.select import select_kernels


class Measurement(NamedTuple):
    """Times of pairs of steps."""

    theirs: float  # seconds, median
    ours: float
    ratios: list[float]  # theirs / ours, pair by pair
    speed: float  # characters a second of ours, padding included


def time_pairs(sides: Sides, batches: Batches, pairs: int) -> Measurement:
    """Let the two sides take turns for `pairs` batches."""
    times: tuple[list[float], list[float]] = ([], [])
    characters = 0
    for pair in range(pairs + 2):  # the first two warm up
        batch = next(batches)
        for step, seconds in zip(sides, times, strict=True):
            start = time.perf_counter()
            step(*batch)
            if pair > 1:
                seconds.append(time.perf_counter() - start)
        characters += batch[0].numel() if pair > 1 else 0
    ratios = sorted(a / b for a, b in zip(*times, strict=True))
    return Measurement(*map(statistics.median, times), ratios, characters / sum(times[1]))


def matmul_speed(threads: int) -> float:
    """Return the operations per second of the machine's fastest float32 product of 2048 × 2048 matrices."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    torch.set_num_threads(threads)
    best = 0.0
    for precision in ("highest", "medium") if matmul.uses_onednn() else ("highest",):
        torch.set_float32_matmul_precision(precision)
        for _ in range(6):
            start = time.perf_counter()
            a @ b
            best = max(best, 2 * 2048**3 / (time.perf_counter() - start))
    torch.set_float32_matmul_precision("highest")
    return best


def format_row(name: str, shape: Shape, m: Measurement, operations: float, best: float) -> str:
    tenth = len(m.ratios) // 10
    cells = [
        name,
        ", ".join(map(str, shape)),
        f"{m.theirs * 1e3:.2f}",
        f"{m.ours * 1e3:.2f}",
        f"**{statistics.median(m.ratios):.2f}**",
        f"{m.ratios[tenth]:.2f}–{m.ratios[-1 - tenth]:.2f} ({len(m.ratios)})",
        f"{m.speed * operations / best:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def print_rows(number: int, threads: int, kernel: str, pairs: int, best: float) -> None:
    """Measure a shape and print its three rows."""
    shape = SHAPES[number]
    torch.set_num_threads(threads)
    pairs = pairs if shape.H < 100 else max(3, pairs // 8)
    whole = whole_steps(shape, kernel)
    for name, sides, batches, operations in (
        ("step, full length", whole, random_batches(shape), shape.step_operations),
        ("step, poems", whole, poem_batches(shape), shape.step_operations),
        ("LSTM alone", lstms_alone(shape, kernel), random_batches(shape), shape.lstm_operations),
    ):
        print(format_row(name, shape, time_pairs(sides, batches, pairs), operations, best), flush=True)


def run_alone(*arguments: object) -> str:
    """Return what this file prints, run with `arguments` in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def print_table(threads: int, kernel: str, pairs: int) -> None:
    best = float(run_alone("--threads", threads, "--products"))
    title = f"{threads} thread{'s' * (threads > 1)}"
    print(f"\n**{title}**; products of 2048 × 2048 at {best / 1e9:.0f} GFLOP/s\n")
    print("| what | B, T, E, H, V | theirs, ms | ours, ms | ratio | 10–90 % (pairs) | of GEMM speed |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for number in range(len(SHAPES)):
        shape_arguments = ("--threads", threads, "--kernel", kernel, "--pairs", pairs, "--rows", number, best)
        print(run_alone(*shape_arguments), flush=True)


def peak_memory(shape: Shape, side: int, kernel: str) -> float:
    """Return the MB that three whole steps add to this process at their peak."""
    step, batches = whole_steps(shape, kernel)[side], random_batches(shape)
    before = process_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    for _ in range(3):
        step(*next(batches))
    return (process_memory("VmHWM") - before) / 1024


def process_memory(name: str) -> int:
    """Return this process's entry `name` of Linux's memory statistics, in kB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def print_memory(kernel: str) -> None:
    print("\nPeak memory that three whole steps add to the process, MB\n")
    print("| B, T, E, H, V | theirs | ours |\n|---|---|---|")
    for number, shape in enumerate(SHAPES):
        peaks = [run_alone("--peak", number, side, "--kernel", kernel) for side in (0, 1)]
        print(f"| {', '.join(map(str, shape))} | {peaks[0]} | {peaks[1]} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--kernel", default="auto", help="auto, torch or native")
    parser.add_argument("--pairs", type=int, default=24, help="at the small shapes")
    parser.add_argument("--peak", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=float, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--products", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.products:
        print(matmul_speed(arguments.threads[0]))
        return
    if arguments.rows:
        number, best = arguments.rows
        print_rows(int(number), arguments.threads[0], arguments.kernel, arguments.pairs, best)
        return
    if arguments.peak:
        print(f"{peak_memory(SHAPES[arguments.peak[0]], arguments.peak[1], arguments.kernel):.0f}")
        return
    kernel = select_kernels(arguments.kernel, torch.device("cpu"), torch.float32).NAME
    products = "oneDNN" if matmul.uses_onednn() else "torch's default"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    print(f"{platform.machine()}, {versions}, kernel {kernel}, large products by {products}")
    for threads in arguments.threads:
        print_table(threads, arguments.kernel, arguments.pairs)
    if sys.platform == "linux":
        print_memory(arguments.kernel)


if __name__ == "__main__":
    main()
