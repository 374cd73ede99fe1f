"""The command `src/generate.py`, or `tangsweep generate`: poems or running text of a trained model.

python src/generate.py --start 日                   with the model that comes with the project
python src/generate.py outputs/optimizer/RUN --form qijue --start 日 --rhyme --tones
python src/generate.py outputs/optimizer/RUN --acrostic 春夏秋冬 --chars 5 --samples 5
python src/generate.py outputs/single/RUN --start "Hansel and Gr" --length 200 --temperature 0.5
"""

import argparse
import io
import sys
from typing import TYPE_CHECKING

from tangsweep.command_line import ArgumentParser
from tangsweep.corpora.chinese_script import to_simplified
from tangsweep.files import new_output_file, user_path, write_new_file
from tangsweep.generation.request import GenerationRequest
from tangsweep.printable import printable
from tangsweep.prosody.form import CHINESE_FORM_NAMES, REGULAR_FORMS
from tangsweep.prosody.pattern import OPENINGS

if TYPE_CHECKING:  # torch is imported only once the arguments are known to be valid
    from tangsweep.generation.compose import ComposedPoems
    from tangsweep.generation.formats import RequestOptions

JSON_ALTERNATIVES = 5  # to each character
FORMS = ", ".join(
    f"{CHINESE_FORM_NAMES[name]} {name} {form.lines}×{form.chars}" for name, form in REGULAR_FORMS.items()
)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line with argparse, because Hydra's grammar rejects Chinese text without quotes."""
    parser = ArgumentParser(
        description="Compose poems whose lines have the number of characters that was asked for, or, "
        "with --length or from a model of a book, continue any text."
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="a checkpoint, or a run's folder (its best checkpoint); without one, the model in data/model/",
    )
    begin = parser.add_argument_group("what it starts from").add_mutually_exclusive_group()
    begin.add_argument("--start", help="what the text begins with; of poems, simplified is converted")
    begin.add_argument("--starts", help="one text for each of these characters")
    begin.add_argument("--acrostic", help="the characters that the lines begin with (藏頭詩)")
    form = parser.add_argument_group("poems")
    form.add_argument("--form", choices=REGULAR_FORMS, help=FORMS)
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
    _add_decoding_options(parser.add_argument_group("how characters are chosen"))
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument("--out", help="a file that does not exist yet, instead of the terminal")
    return parser.parse_args()


def _add_decoding_options(group: argparse._ArgumentGroup) -> None:
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--temperature", type=float, help="0 is greedy (0.8)")
    choice.add_argument("--greedy", dest="temperature", action="store_const", const=0.0, help="temperature 0")
    group.add_argument("--top-k", type=int, help="only from so many of the likeliest")
    group.add_argument("--top-p", type=float, help="only from the likeliest that reach this probability")
    group.add_argument("--beam", type=int, help="no sampling: the likeliest text that so wide a beam finds")
    group.add_argument("--samples", type=int, default=1, help="poems a start, the model's favourites first")
    group.add_argument("--keep", type=int, help="print only so many of the samples, the first ones")
    group.add_argument("--seed", type=int, default=0, help="equal seeds give equal texts (0)")


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    arguments = parse_arguments()
    request = GenerationRequest(**{name: getattr(arguments, name) for name in GenerationRequest._fields})
    request.check()
    out = new_output_file(arguments.out) if arguments.out is not None else None
    output = generate_output(arguments, request)
    if out is None:
        print(printable(output), end="")
    else:
        write_new_file(out, output)
        print(printable(arguments.out))


def generate_output(arguments: argparse.Namespace, request: GenerationRequest) -> str:
    """Return poems or running text in the requested format. Raises UserError if the model cannot write it."""
    from tangsweep.bundled_model import bundled_run
    from tangsweep.checkpoint import load_model
    from tangsweep.generation import compose, formats
    from tangsweep.progress_bar import counting_bar

    path = bundled_run().path if arguments.checkpoint is None else user_path(arguments.checkpoint)
    trained = load_model(path)
    max_alternatives = JSON_ALTERNATIVES if arguments.format == "json" else 0
    with counting_bar("poems") as report_progress:
        output = compose.generate(
            trained, request, arguments.replace_unknown, max_alternatives, report_progress
        )
    decoding = compose.request_decoding(request)
    options = {"checkpoint": arguments.checkpoint or "data/model", **request._asdict(), **decoding._asdict()}
    if isinstance(output, compose.ComposedPoems):
        return _format_poems(output, arguments, options)
    if arguments.script == "simplified":
        output = [compose.ContinuedText(to_simplified(start), to_simplified(text)) for start, text in output]
    return formats.format_running_text(output, arguments.format, options)


def _format_poems(composed: "ComposedPoems", arguments: argparse.Namespace, options: "RequestOptions") -> str:
    from tangsweep.generation import formats

    for note in formats.collect_notes(composed):
        print(f"note: {printable(note)}", file=sys.stderr)
    if arguments.script == "simplified":
        composed = formats.simplify_poems(composed)
    if arguments.format == "json":
        return formats.format_json(composed, options)
    format_poems = formats.format_text if arguments.format == "text" else formats.format_markdown
    return format_poems(composed, arguments.samples)
