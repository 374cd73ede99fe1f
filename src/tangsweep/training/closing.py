"""The scores that a record carries: at the best epoch's weights, and at the last ones."""

from typing import Any

from tangsweep.batches.datamodule import PoemData, Resident, in_order
from tangsweep.generation.checkpoint import load
from tangsweep.language_model import LanguageModel
from tangsweep.metrics import scores
from tangsweep.runs.folder import RunFolder
from tangsweep.training.scoring import evaluate

Oov = dict[str, dict[str, Any]]


def closing_scores(
    model: LanguageModel, data: PoemData, folder: RunFolder, best_epoch: int, finite: bool, oov: Oov
) -> dict[str, Any]:
    """`train` and `dev` at the best epoch, `last` both at the end; None where there is none.

    Leaves `model` with the best epoch's weights. With `finite` false the last weights, which gave a
    loss that is NaN or infinite, are not scored. `oov` are the encoded corpus's facts of that name.
    """
    last = _both(model, data, oov) if finite else None
    if not best_epoch:
        return {"best_epoch": None, "train": None, "dev": None, "last": last}
    model.load_state_dict(load(folder.best).model.state_dict())
    return {"best_epoch": best_epoch, **_both(model, data, oov), "last": last}


def _both(model: LanguageModel, data: PoemData, oov: Oov) -> dict[str, Any]:
    sides: dict[str, Resident] = {"train": data.train, "dev": data.dev}
    return {
        side: scores(
            evaluate(model, in_order(resident), data.pad),
            oov[side]["positions"],
            oov[side]["unseen_types"],
        )
        for side, resident in sides.items()
    }
