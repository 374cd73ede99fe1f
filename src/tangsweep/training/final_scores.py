"""The scores that a record carries: at the best epoch's weights, and at the last ones."""

from typing import Any

from tangsweep.batches.batch import RunBatches
from tangsweep.checkpoint import load_model
from tangsweep.evaluation.scores import evaluate
from tangsweep.language_model import LanguageModel
from tangsweep.metrics import scores
from tangsweep.runs.folder import RunFolder

Oov = dict[str, dict[str, Any]]


def closing_scores(
    model: LanguageModel, data: RunBatches, folder: RunFolder, best_epoch: int, finite: bool, oov: Oov
) -> dict[str, Any]:
    """`train` and `dev` at the best epoch, `last` both at the end; None where there is none.

    Leaves `model` with the best epoch's weights. With `finite` false the last weights, which gave a
    loss that is NaN or infinite, are not scored. `train` is None where the data have no such side: a
    stream without end. `oov` are the encoded corpus's facts of that name, for each side that has any.
    """
    last = _both(model, data, oov) if finite else None
    if not best_epoch:
        return {"best_epoch": None, "train": None, "dev": None, "last": last}
    model.load_state_dict(load_model(folder.best).model.state_dict())
    return {"best_epoch": best_epoch, **_both(model, data, oov), "last": last}


def _both(model: LanguageModel, data: RunBatches, oov: Oov) -> dict[str, Any]:
    found: dict[str, Any] = {"train": None, "dev": None}
    for side, batches in data.sides().items():
        unknown = oov.get(side, {"positions": 0, "unseen_types": 0})
        tally = evaluate(model, batches, data.pad)
        found[side] = scores(tally, unknown["positions"], unknown["unseen_types"], data.whole_sequences)
    return found
