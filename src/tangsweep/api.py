"""The functions of `import tangsweep`, thin over what the commands use; docs/python.md shows them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from tangsweep import checkpoint
from tangsweep.batches.encode import encode_chunks
from tangsweep.batches.poems import PaddedSequences, longest_first
from tangsweep.batches.split import Chunk
from tangsweep.batches.windows import ContiguousWindows
from tangsweep.checkpoint import TrainedModel
from tangsweep.errors import UserError
from tangsweep.evaluation.scores import evaluate
from tangsweep.files import CONFIG_FOLDER, display_path, report_folder, user_folders, user_path
from tangsweep.generation.compose import generate_texts, text_task
from tangsweep.generation.request import GenerationRequest

if TYPE_CHECKING:  # Lightning takes seconds to import
    from tangsweep.reporting.analysis.search_results import SearchResults
    from tangsweep.training.module import LanguageModelModule

WINDOW = 100  # characters of running text that are scored at once; the state is carried on


class Runs(NamedTuple):
    """The runs of one or several sweeps as tables; docs/report.md describes their columns."""

    runs: pd.DataFrame  # one row a run: settings that differ, scores, state
    epochs: pd.DataFrame  # one row a run and evaluated epoch; epoch 0 is the untrained model
    ranking: pd.DataFrame  # one row a group, in the order of the report


def train(*overrides: str, multirun: bool = False) -> list[Path]:
    """Train what `python src/train.py OVERRIDES` trains; `multirun` is its -m.

    Runs that are done are not trained again. Returns the folder of every run, in the order of the sweep.
    Raises UserError, one line, for an override that is wrong and where a run failed.
    """
    from tangsweep.command_line import user_errors
    from tangsweep.commands.train import train_composed
    from tangsweep.sweep.hydra_adapter import run_job_or_sweep
    from tangsweep.sweep.run_sweep import RunsFailed

    arguments = sys.argv
    # What a sweep writes down as its command is sys.argv, which is the notebook's or the script's here.
    sys.argv = ["tangsweep train", *(["-m"] if multirun else []), *overrides]
    try:
        with user_errors():
            result = run_job_or_sweep(CONFIG_FOLDER, train_composed, overrides, multirun)
    except UserError as error:
        if "--multirun" in str(error):
            raise UserError("several values of a key are a sweep: pass multirun=True") from None
        raise
    except RunsFailed as failure:
        runs, outcomes = failure.result.folders, failure.result.outcomes
        count = sum(outcome.status == "failed" for outcome in outcomes)
        where = display_path(runs[0].parent)
        raise UserError(f"{count} of {len(runs)} runs failed: see the files train.log in {where}") from None
    finally:
        sys.argv = arguments
    return list(result.folders)


def load_runs(*folders: str | Path) -> Runs:
    """Return the runs of one or several sweeps as tables. Raises UserError where a folder holds no run."""
    from tangsweep.reporting.build import rank_comparable_runs, read_sweeps
    from tangsweep.reporting.text.tables import run_tables

    data = read_sweeps(user_folders(folders))
    return Runs(**run_tables(data, rank_comparable_runs(data)))


def load_search(folder: str | Path) -> "SearchResults":
    """Return what a search tried and found, as tables; docs/search.md describes them.

    Raises UserError where the sweep in the folder was no search, or has no result yet.
    """
    from tangsweep.reporting.analysis.search_results import read_search_results

    path = user_path(str(folder))
    results = read_search_results(path)
    if results is None:
        raise UserError(f"{path} is of no search with results: name the folder of one, outputs/NAME")
    return results


def report(*folders: str | Path, out: str | Path | None = None) -> list[Path]:
    """Write the report on one sweep or several, and return its files, report.html first.

    It is written to `out`, else to the folder of the sweep. Raises UserError where a folder holds no run, and
    where several are named without `out`.
    """
    from tangsweep.reporting.build import report_on, write_report

    paths = user_folders(folders)
    _, built = report_on(paths)
    return write_report(built, report_folder(paths, None if out is None else str(out)))


def load_model(run_or_checkpoint: str | Path) -> TrainedModel:
    """Return a trained model with its vocabulary and config, from a run's folder or a checkpoint.

    Of a folder it is the best checkpoint. Checkpoints of Lightning's own ModelCheckpoint are read as well.
    Nothing in a checkpoint is run. Raises UserError where it cannot be read.
    """
    return checkpoint.load_model(user_path(str(run_or_checkpoint)))


def generate(
    trained: "TrainedModel | LanguageModelModule", *, replace_unknown: str | None = None, **options: Any
) -> list[str]:
    """Return poems or running text: what `src/generate.py` prints, as a list.

    Args:
        trained: from `load_model`, or a LanguageModelModule.
        replace_unknown: in running text, what stands for characters that the model does not know.
        options: fields of GenerationRequest, such as start="日", form="qijue", samples=3, seed=1;
            docs/poems.md describes them. `rhyme` is True or a character in whose group the lines rhyme,
            `tones` True, "pingqi" or "zeqi".

    Raises UserError for a request that is invalid or that the model cannot answer.
    """
    unknown = set(options) - set(GenerationRequest._fields)
    if unknown:
        names = ", ".join(GenerationRequest._fields)
        raise UserError(f"generate has no option {min(unknown)}; there are: {names}")
    words = {"rhyme": "", "tones": "any"}  # what True stands for
    for name, word in words.items():
        if isinstance(options.get(name), bool):
            options[name] = word if options[name] else None
    return generate_texts(_trained_model(trained), GenerationRequest(**options), replace_unknown)


def perplexity(trained: "TrainedModel | LanguageModelModule", texts: str | Sequence[str]) -> float:
    """Return exp(total nats / total scored characters) of texts, as docs/perplexity.md counts it.

    A text is a whole poem, whose end is scored as a character; or of a model of a book, running text, whose
    first character is not scored. Unknown characters count as `<oov>`. Raises UserError where nothing
    would be scored, and for a model of no text.
    """
    trained, texts = _trained_model(trained), [texts] if isinstance(texts, str) else texts
    task = text_task(trained)
    if not texts or not all(len(text) > (task == "book") for text in texts):
        raise UserError("name at least one text with a character to score")
    if task == "book":
        encoded = [np.array(trained.vocabulary.encode(text)) for text in texts]
        windows = [window for ids in encoded for window in ContiguousWindows(ids, 1, WINDOW)]
        return evaluate(trained.model, windows, None).perplexity
    poems = encode_chunks([Chunk(text, ends_poem=True) for text in texts], trained.vocabulary)
    return evaluate(trained.model, longest_first(PaddedSequences(poems, None, False)), None).perplexity


def _trained_model(model: "TrainedModel | LanguageModelModule") -> TrainedModel:
    return model if isinstance(model, TrainedModel) else model.trained_model
