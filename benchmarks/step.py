"""A training step against torch.nn.LSTM's: `make bench`, or `python benchmarks/step.py --help`.

Theirs is benchmarks/peer.py in a plain PyTorch loop, Adam as torch gives it; ours is the model that a run
trains, with the optimizer that a run makes. Both float32, unpacked, clipped at 5, in turn: A B A B. The
ratio is their time over ours, pair by pair: above 1 we are faster. The whole step, on random
sequences of full length and on the lengths of real poems in bucketed batches (全唐诗 where it is at hand,
else the sample), padded alike; then the LSTM alone, forward and backward.

Each shape is measured in a process of its own, as a run is one: what was allocated before decides whether
the C library gives a step's large arrays back to the system and asks for them again, page by page.
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


class Measured(NamedTuple):
    theirs: float  # seconds, median
    ours: float
    ratios: list[float]  # theirs / ours, pair by pair
    speed: float  # characters a second of ours, padding included


def interleaved(sides: Sides, batches: Batches, pairs: int) -> Measured:
    times: tuple[list[float], list[float]] = ([], [])
    characters = 0
    for pair in range(pairs + 2):  # the first two warm up
        batch = next(batches)
        for step, spent in zip(sides, times, strict=True):
            began = time.perf_counter()
            step(*batch)
            if pair > 1:
                spent.append(time.perf_counter() - began)
        characters += batch[0].numel() if pair > 1 else 0
    ratios = sorted(a / b for a, b in zip(*times, strict=True))
    return Measured(*map(statistics.median, times), ratios, characters / sum(times[1]))


def multiplied(threads: int) -> float:
    """Operations a second of the machine's best float32 product of 2048 × 2048 matrices."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    torch.set_num_threads(threads)
    best = 0.0
    for precision in ("highest", "medium") if matmul.uses_onednn() else ("highest",):
        torch.set_float32_matmul_precision(precision)
        for _ in range(6):
            began = time.perf_counter()
            a @ b
            best = max(best, 2 * 2048**3 / (time.perf_counter() - began))
    torch.set_float32_matmul_precision("highest")
    return best


def row(name: str, shape: Shape, m: Measured, operations: float, best: float) -> str:
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


def rows(number: int, threads: int, kernel: str, pairs: int, best: float) -> None:
    """The three rows of a shape."""
    shape = SHAPES[number]
    torch.set_num_threads(threads)
    many = pairs if shape.H < 100 else max(3, pairs // 8)
    whole = whole_steps(shape, kernel)
    for name, sides, batches, operations in (
        ("step, full length", whole, random_batches(shape), shape.of_step),
        ("step, poems", whole, poem_batches(shape), shape.of_step),
        ("LSTM alone", lstms_alone(shape, kernel), random_batches(shape), shape.of_lstm),
    ):
        print(row(name, shape, interleaved(sides, batches, many), operations, best), flush=True)


def alone(*arguments: object) -> str:
    """What this file prints in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def tables(threads: int, kernel: str, pairs: int) -> None:
    best = float(alone("--threads", threads, "--products"))
    title = f"{threads} thread{'s' * (threads > 1)}"
    print(f"\n**{title}**; products of 2048 × 2048 at {best / 1e9:.0f} GFLOP/s\n")
    print("| what | B, T, E, H, V | theirs, ms | ours, ms | ratio | 10–90 % (pairs) | of GEMM speed |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for number in range(len(SHAPES)):
        of_shape = ("--threads", threads, "--kernel", kernel, "--pairs", pairs, "--rows", number, best)
        print(alone(*of_shape), flush=True)


def peak(shape: Shape, side: int, kernel: str) -> float:
    """MB that three whole steps add to this process, at their peak."""
    step, batches = whole_steps(shape, kernel)[side], random_batches(shape)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    for _ in range(3):
        step(*next(batches))
    return (resident("VmHWM") - before) / 1024


def resident(name: str) -> int:
    """kB, as Linux counts them."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory(kernel: str) -> None:
    print("\nPeak memory of three whole steps, beside what was there before, MB\n")
    print("| B, T, E, H, V | theirs | ours |\n|---|---|---|")
    for number, shape in enumerate(SHAPES):
        found = [alone("--peak", number, side, "--kernel", kernel) for side in (0, 1)]
        print(f"| {', '.join(map(str, shape))} | {found[0]} | {found[1]} |", flush=True)


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
        print(multiplied(arguments.threads[0]))
        return
    if arguments.rows:
        number, best = arguments.rows
        rows(int(number), arguments.threads[0], arguments.kernel, arguments.pairs, best)
        return
    if arguments.peak:
        print(f"{peak(SHAPES[arguments.peak[0]], arguments.peak[1], arguments.kernel):.0f}")
        return
    kernel = select_kernels(arguments.kernel, torch.device("cpu"), torch.float32).NAME
    products = "oneDNN" if matmul.uses_onednn() else "torch's default"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    print(f"{platform.machine()}, {versions}, kernel {kernel}, large products by {products}")
    for threads in arguments.threads:
        tables(threads, arguments.kernel, arguments.pairs)
    if sys.platform == "linux":
        memory(arguments.kernel)


if __name__ == "__main__":
    main()
