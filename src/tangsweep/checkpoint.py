"""A trained model from its checkpoint: plain values and tensors only, nothing that runs code."""

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
    """The model of a checkpoint, or of a run's folder (its best checkpoint).

    Raises UserError where there is none, it is no checkpoint of this project, or its weights do not
    fit its vocabulary.
    """
    file = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    if path.is_dir() and not file.exists():
        inside = sorted(p.parent.name for p in path.glob("*/checkpoints"))
        holds = f"a sweep with the runs {', '.join(inside)}" if inside else "no run with a best checkpoint"
        raise UserError(f"{path} is {holds}: name the folder of a run" if inside else f"{path} holds {holds}")
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{file} does not exist: name a checkpoint or a run's folder") from None
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise UserError(f"{file} is no checkpoint that can be read: train, or name another") from error
    try:
        described = stored["tangsweep"]
        config, known = described["config"], Vocabulary(described["tokens"])
        weights = {name.removeprefix("model."): value for name, value in stored["state_dict"].items()}
        model = build_language_model(config["cell"], config["model"], described["inputs"], len(known))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file} is no checkpoint of this version of the project (it lacks {error}): train again"
        ) from error
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise UserError(
            f"{file} holds weights for another model than its vocabulary of {len(known)} and its "
            "config describe: it was made by another version, train again"
        ) from None
    return TrainedModel(model, known, config)
