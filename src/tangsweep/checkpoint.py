"""Load a trained model from its checkpoint.

A checkpoint holds only plain values and tensors, so loading it cannot run code.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.language_model import LanguageModel, build_language_model


class TrainedModel(NamedTuple):
    """A model with the vocabulary and the resolved config that it was trained with."""

    model: LanguageModel
    vocabulary: Vocabulary
    config: dict[str, Any]


def load_model(path: Path) -> TrainedModel:
    """Return the model of a checkpoint, or of the best checkpoint of a run's folder.

    Weights of double precision stay so, those of half precision become float32.
    Raises UserError where there is no such file, it is not a checkpoint of this project, or its weights do
    not fit its vocabulary and config.
    """
    file = path
    if path.is_dir():
        file = path / "checkpoints" / "best.ckpt"
        if not file.exists():
            raise _no_best_checkpoint(path)
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{file} does not exist: name a checkpoint or a run's folder") from None
    except Exception as error:  # torch raises many kinds of exception for other files
        raise UserError(f"{file} is not a readable checkpoint: train, or name another") from error
    try:
        described = stored["tangsweep"]
        config, vocabulary = described["config"], Vocabulary(described["tokens"])
        weights = {name.removeprefix("model."): value for name, value in stored["state_dict"].items()}
        model = build_language_model(config["cell"], config["model"], described["inputs"], len(vocabulary))
    except (KeyError, TypeError, AttributeError) as error:
        detail = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{file} is not a checkpoint of this version of the project ({detail}): train again"
        ) from error
    if any(value.dtype == torch.float64 for value in weights.values()):
        model = model.double()
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise UserError(
            f"{file} holds weights for another model than its vocabulary of {len(vocabulary)} and its "
            "config describe: it was made by another version, train again"
        ) from None
    return TrainedModel(model, vocabulary, config)


def _no_best_checkpoint(folder: Path) -> UserError:
    checkpoints = sorted(path.name for path in folder.glob("*.ckpt"))
    if checkpoints:
        return UserError(f"{folder} is no run's folder; it holds {', '.join(checkpoints)}: name one of these")
    runs = sorted(p.parent.name for p in folder.glob("*/checkpoints"))
    if runs:
        return UserError(f"{folder} is a sweep with the runs {', '.join(runs)}: name the folder of a run")
    return UserError(f"{folder} holds no run with a best checkpoint: name the folder of a run")
