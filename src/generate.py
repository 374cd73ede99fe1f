"""Poems, or running text, from a trained model.

python src/generate.py outputs/optimizer/RUN --form qijue --start 日 --rhyme --tones
python src/generate.py outputs/optimizer/RUN --acrostic 春夏秋冬 --chars 5 --samples 5
python src/generate.py outputs/single/RUN --start "Hansel and Gr" --length 200 --temperature 0.5
"""

import argparse
import sys
from typing import Any

from tangsweep.command_line import run_command
from tangsweep.corpora.chinese_script import to_simplified
from tangsweep.errors import UserError
from tangsweep.files import new_output_file, user_path, write_new_file
from tangsweep.generation.request import Request
from tangsweep.prosody.form import CHINESE, NAMED
from tangsweep.prosody.pattern import OPENINGS

SHOWN = 5  # alternatives to each character in JSON
FORMS = ", ".join(f"{CHINESE[name]} {name} {form.lines}×{form.chars}" for name, form in NAMED.items())


def arguments() -> argparse.Namespace:
    """The command line; text is argparse's business because Hydra's grammar rejects it."""
    parser = argparse.ArgumentParser(
        description="Compose poems whose lines have the number of characters that was asked for, or, "
        "with --length or from a model of a book, continue any text."
    )
    parser.add_argument("checkpoint", help="a checkpoint, or a run's folder (its best checkpoint)")
    begin = parser.add_argument_group("what it starts from").add_mutually_exclusive_group()
    begin.add_argument("--start", help="what the text begins with; of poems, simplified is converted")
    begin.add_argument("--starts", help="one text for each of these characters")
    begin.add_argument("--acrostic", help="the characters that the lines begin with (藏頭詩)")
    form = parser.add_argument_group("poems")
    form.add_argument("--form", choices=NAMED, help=FORMS)
    form.add_argument("--chars", type=int, help="characters a line (7)")
    form.add_argument("--lines", type=int, help="lines a poem (4)")
    form.add_argument("--prompt", help="read before the poem to set the mood, not printed")
    form.add_argument("--rhyme", nargs="?", const="", help="even lines rhyme, with this character if named")
    form.add_argument("--tones", nargs="?", const="any", choices=OPENINGS, help="tones of regulated verse")
    form.add_argument("--skip-unknown", action="store_true", help="leave out what the model does not know")
    form.add_argument("--script", choices=("traditional", "simplified"), default="traditional")
    prose = parser.add_argument_group("running text")
    prose.add_argument("--length", type=int, help="characters of running text (200)")
    prose.add_argument("--replace-unknown", help="what stands for characters that the model does not know")
    _add_decoding(parser.add_argument_group("how characters are chosen"))
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument("--out", help="a file that does not exist yet, instead of the terminal")
    return parser.parse_args()


def _add_decoding(group: Any) -> None:
    group.add_argument("--temperature", type=float, help="0 is greedy (0.8)")
    group.add_argument("--greedy", dest="temperature", action="store_const", const=0.0, help="temperature 0")
    group.add_argument("--top-k", type=int, help="only from so many of the likeliest")
    group.add_argument("--top-p", type=float, help="only from the likeliest that reach this probability")
    group.add_argument("--beam", type=int, help="no sampling: the likeliest text that so wide a beam finds")
    group.add_argument("--samples", type=int, default=1, help="poems a start, the model's favourites first")
    group.add_argument("--keep", type=int, help="print only so many of the samples, the first ones")
    group.add_argument("--seed", type=int, default=0, help="equal seeds give equal texts (0)")


def main() -> None:
    options = arguments()
    request = Request(**{name: getattr(options, name) for name in Request._fields})
    request.check()
    out = new_output_file(options.out) if options.out is not None else None
    written = _written(options, request)
    if out is None:
        print(written, end="")
    else:
        write_new_file(out, written)
        print(options.out)


def _written(options: argparse.Namespace, request: Request) -> str:
    from tangsweep.checkpoint import load_model  # torch, only once the arguments are right

    trained = load_model(user_path(options.checkpoint))
    task = trained.config["corpus"]["task"]
    if task not in ("poems", "book"):
        raise UserError(f"{options.checkpoint} was trained on {task}, which is no text: name another run")
    from tangsweep.generation import compose, formats

    asked = {"checkpoint": options.checkpoint, **request._asdict(), **compose.decoding(request)._asdict()}
    if task == "poems" and request.length is None:
        if options.replace_unknown is not None:
            raise UserError("--replace-unknown is for running text: for a poem take --skip-unknown")
        return _poems(trained, options, request, asked)
    if task == "book" and request.for_poems:
        raise UserError(f"{request.for_poems} is for poems, this is a model of a book: take --length")
    texts = compose.running_text(trained, request, task == "poems", options.replace_unknown)
    if options.script == "simplified":
        texts = [(to_simplified(start), to_simplified(text)) for start, text in texts]
    return formats.running(texts, options.format, asked)


def _poems(trained: Any, options: argparse.Namespace, request: Request, asked: dict[str, Any]) -> str:
    from tangsweep.generation import compose, formats
    from tangsweep.progress_bar import counting_bar
    from tangsweep.prosody import lookup

    shown = SHOWN if options.format == "json" else 0
    with counting_bar("poems") as tell:
        composed = compose.poems(trained, request, lookup.best, shown, tell)
    for note in formats.notes(composed):
        print(f"note: {note}", file=sys.stderr)
    if options.script == "simplified":
        composed = formats.simplified(composed)
    if options.format == "json":
        return formats.as_json(composed, asked)
    write = formats.text if options.format == "text" else formats.markdown
    return write(composed, request.samples)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    run_command(main)
