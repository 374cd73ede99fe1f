"""Poems, or running text, from a trained model.

python src/generate.py outputs/optimizer/RUN --start 日 --chars 7 --lines 4 --temperature 0.8 --seed 1
python src/generate.py outputs/single/RUN --start "Hansel and Gr" --length 200 --temperature 0.5
"""

import argparse
import sys

from tangsweep import places
from tangsweep.command_line import reported
from tangsweep.errors import UserError

MOST = {"chars": 100, "lines": 100, "length": 100_000}  # characters a line, lines a poem, characters


def arguments() -> argparse.Namespace:
    """The command line; text is argparse's business because Hydra's grammar rejects it."""
    parser = argparse.ArgumentParser(
        description="Compose poems whose lines have the number of characters that was asked for, or, "
        "with --length or from a model of a book, continue any text."
    )
    parser.add_argument("checkpoint", help="a checkpoint, or a run's folder (its best checkpoint)")
    starts = parser.add_mutually_exclusive_group(required=True)
    starts.add_argument("--start", help="what the text begins with; of poems, simplified is converted")
    starts.add_argument("--starts", help="one text for each of these characters")
    parser.add_argument("--chars", type=int, help="characters a line of a poem (7)")
    parser.add_argument("--lines", type=int, help="lines a poem (4)")
    parser.add_argument("--length", type=int, help="characters of running text (200)")
    parser.add_argument(
        "--replace-unknown", help="what stands for characters that a book's model does not know"
    )
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (0.8)")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal texts (0)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    for name, most in MOST.items():
        given = getattr(options, name)
        if given is not None and not 1 <= given <= most:
            raise UserError(f"--{name} {given} makes no sense: it must be from 1 to {most}")
    if not 0 <= options.temperature < float("inf"):
        raise UserError(f"--temperature {options.temperature} makes no sense: it must be at least 0")
    starts = list(options.starts) if options.starts is not None else [options.start]
    if not starts or not all(starts):
        raise UserError("the start is empty: name at least one character")
    if options.length and (options.chars or options.lines):
        raise UserError("--length is for running text, --chars and --lines are for poems: leave one out")
    print("\n\n".join(_texts(options, starts)))


def _texts(options: argparse.Namespace, starts: list[str]) -> list[str]:
    from tangsweep.generation.checkpoint import load  # torch, only once the arguments are right

    trained = load(places.typed(options.checkpoint))
    task = trained.config["corpus"]["task"]
    if task not in ("poems", "book"):
        raise UserError(f"{options.checkpoint} was trained on {task}, which is no text: name another run")
    if task == "poems" and options.length is None:
        from tangsweep.generation.poem import Form, Poet, printed

        form = Form(options.chars or 7, options.lines or 4)
        poet = Poet(trained.model, trained.vocabulary)
        return [printed(p) for p in poet.compose(form, starts, options.temperature, options.seed)]
    if options.chars or options.lines:
        raise UserError("--chars and --lines are for poems, this is a model of a book: take --length")
    from tangsweep.corpora.script import to_traditional
    from tangsweep.generation.text import Writer

    writer = Writer(trained.model, trained.vocabulary)
    if task == "poems":
        starts = [to_traditional(start, trained.vocabulary) for start in starts]
    known = [writer.accepted(start, options.replace_unknown) for start in starts]
    if not all(known):
        raise UserError("nothing of the start is known to this model: write it otherwise")
    length, temperature = options.length or 200, options.temperature
    return [writer.write([start], length, [temperature], options.seed)[0] for start in known]


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    reported(main)
