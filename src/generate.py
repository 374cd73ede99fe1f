"""Poems from a trained model.

python src/generate.py outputs/optimizer/RUN --start 日 --chars 7 --lines 4 --temperature 0.8 --seed 1
"""

import argparse
import sys
from pathlib import Path

from tangsweep import places
from tangsweep.command_line import reported
from tangsweep.errors import UserError

MOST = 100  # characters a line, and lines a poem


def arguments() -> argparse.Namespace:
    """The command line; text is argparse's business because Hydra's grammar rejects it."""
    parser = argparse.ArgumentParser(
        description="Compose poems whose lines have the number of characters that was asked for."
    )
    parser.add_argument("checkpoint", help="a checkpoint, or a run's folder (its best checkpoint)")
    starts = parser.add_mutually_exclusive_group(required=True)
    starts.add_argument("--start", help="what the poem begins with; simplified is converted")
    starts.add_argument("--starts", help="one poem for each of these characters")
    parser.add_argument("--chars", type=int, default=7, help="characters a line (7)")
    parser.add_argument("--lines", type=int, default=4, help="lines a poem (4)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (0.8)")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal poems (0)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    for name in ("chars", "lines"):
        if not 1 <= getattr(options, name) <= MOST:
            raise UserError(f"--{name} {getattr(options, name)} makes no sense: it must be from 1 to {MOST}")
    if not 0 <= options.temperature < float("inf"):
        raise UserError(f"--temperature {options.temperature} makes no sense: it must be at least 0")
    starts = list(options.starts) if options.starts is not None else [options.start]
    if not starts or not all(starts):
        raise UserError("the start is empty: name at least one character")

    from tangsweep.generation.checkpoint import load  # torch, only once the arguments are right
    from tangsweep.generation.poem import Form, Poet, printed

    trained = load(_existing(options.checkpoint))
    poet = Poet(trained.model, trained.vocabulary)
    form = Form(options.chars, options.lines)
    poems = poet.compose(form, starts, options.temperature, options.seed)
    print("\n\n".join(map(printed, poems)))


def _existing(path: str) -> Path:
    """As typed from the working directory, else as every other relative path of the project."""
    typed = Path(path).expanduser()
    return typed if typed.exists() else places.anchored(path)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    reported(main)
