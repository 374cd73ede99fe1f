"""A hostile trial, some minutes: `python benchmarks/faults.py --kills 20 --rot 100 --mirror 5`.

--kills   SIGKILL at random moments of whole process groups and of single processes; the same command again
--rot     one random bit flipped in every kind of file that a run leaves; then report, generate, the same
          command and the report again
--mirror  W&B's own process killed at random moments

It prints what was tried and what held, and exits with status 1 where anything did not.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import bit_rot
import dead_mirrors
import kills

COLUMNS = ("tried", "held", "same", "repaired", "named")


def print_table(tally: kills.Tally) -> None:
    print("\n| what | tried | held | without effect | repaired | named |\n|---|---|---|---|---|---|")
    for what, counts in tally.items():
        print(f"| {what} | {' | '.join(str(counts[column] or '') for column in COLUMNS)} |")


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--rot", type=int, default=0)
    parser.add_argument("--mirror", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60, help="after which no flip begins (60)")
    parser.add_argument("--jobs", type=int, default=2, help="flips that are tried at once")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments and bits")
    parser.add_argument("--launcher", default="pool", choices=["pool", "basic"])
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    tally, problems = kills.Tally(), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        trials: list[tuple[int, Callable[[Path], tuple[kills.Tally, list[str]]]]] = [
            (
                arguments.rot,
                lambda path: bit_rot.try_flips(path, arguments.rot, arguments.jobs, arguments.minutes),
            ),
            (arguments.mirror, lambda path: dead_mirrors.try_dead_mirrors(path, arguments.mirror)),
            (arguments.kills, lambda path: kills.try_kills(path, arguments.launcher, arguments.kills)),
        ]
        for number, (count, trial) in enumerate(trials):
            if count:
                home = Path(folder) / f"trial-{number}"
                home.mkdir()
                tried, found = trial(home)
                tally |= tried
                problems += found
    print_table(tally)
    for problem in problems:
        print(problem)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
