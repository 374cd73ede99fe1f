"""Reads checkpoints, and rebuilds the trained model of one.

A checkpoint holds only plain values and tensors, so reading it cannot run code. It is a ZIP archive with a
part for each tensor and one for all else, and `torch.save` stores the CRC-32 of each part. torch reads
checkpoints without looking at these checksums; `read_checkpoint` compares them. The checksum thus lies in the
file itself, is written with it in one step, costs a run nothing, and checkpoints of every version have it.
"""

import errno
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from tangsweep.cells.registry import complete_cell_options
from tangsweep.config.groups import ModelOptions
from tangsweep.config.options import validate_group, value_before
from tangsweep.corpora.vocabulary import OOV_TOKEN, Vocabulary
from tangsweep.errors import UserError, first_line
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.printable import printable_line

DIRECTORY = 0x10  # in the attributes of a part of a ZIP archive
FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


CheckpointContent = dict[str, Any]  # plain values and tensors by name


class TrainedModel(NamedTuple):
    """A model with the vocabulary and the resolved config that it was trained with."""

    model: LanguageModel
    vocabulary: Vocabulary
    config: dict[str, Any]


class DamagedCheckpoint(UserError):
    """A checkpoint whose content is not what was written, or that is none; `reason` says it in few words."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


def read_checkpoint(path: Path) -> CheckpointContent:
    """Return the content of a checkpoint, its tensors on the CPU.

    Raises DamagedCheckpoint where the checksum of a part is wrong or the file is no checkpoint, and another
    UserError where it is missing or cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            reason = _find_damage(file)
            file.seek(0)
            content = None if reason else torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name a checkpoint or a run's folder") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}): mend its permissions") from None
    except Exception as error:  # torch raises many kinds of exception for other files
        if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
            raise UserError(f"{path} cannot be read: there is not enough memory for it") from None
        raise _damaged(path, f"torch raises {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise _damaged(path, reason or "it holds no fields by name")
    return content


def _damaged(path: Path, reason: str) -> DamagedCheckpoint:
    text = f"{path} is not a readable checkpoint ({reason}): train again (rerun=all), or name another"
    return DamagedCheckpoint(text, reason)


def _find_damage(file: BinaryIO) -> str:
    """Return what is wrong with a checkpoint's checksums; an empty string where all are right."""
    try:
        with zipfile.ZipFile(file) as archive:
            changed = archive.testzip() or next(filter(_is_read_otherwise, archive.infolist()), None)
    except Exception as error:  # zipfile raises many kinds for a damaged directory of the archive
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which a wrong offset gives
            raise
        return first_line(error) or type(error).__name__
    name = changed.filename if isinstance(changed, zipfile.ZipInfo) else changed
    return f"wrong checksum of its part {name}" if name else ""


def _is_read_otherwise(part: zipfile.ZipInfo) -> bool:
    """Whether torch reads other bytes of a part than zipfile, which has compared their checksum.

    torch takes the length from another field, and reads nothing of what is marked as a directory.
    """
    return part.file_size != part.compress_size or bool(part.external_attr & DIRECTORY)


def load_model(path: Path) -> TrainedModel:
    """Return the model of a checkpoint, or of the best checkpoint of a run's folder.

    Weights of double precision stay so, those of half precision become float32.
    Raises UserError where there is no such file, it was damaged or is not a checkpoint of this project, its
    weights do not fit its vocabulary and config, or one of them is not finite.
    """
    file = path
    if path.is_dir():
        file = path / "checkpoints" / "best.ckpt"
        if not file.exists():
            raise _no_best_checkpoint(path)
    if file.exists() and not file.is_file():  # a pipe would be read for ever
        raise UserError(f"{file} is no regular file: name a checkpoint or a run's folder")
    stored = read_checkpoint(file)
    try:
        return _rebuild(stored)
    except UserError as error:
        reason = printable_line(str(error))  # which repeats what the file holds
        raise UserError(
            f"{file} is not a checkpoint of this version of the project ({reason}): train again, "
            "or name another"
        ) from error


def _rebuild(stored: CheckpointContent) -> TrainedModel:
    """Return the model that a checkpoint describes. Raises UserError, which says what does not fit.

    Sizes are compared with the weights before anything is made of them: they might be of any magnitude.
    """
    described = _field(stored, "tangsweep", Mapping)
    config, vocabulary = dict(_field(described, "config", Mapping)), _read_vocabulary(described)
    _field(_field(config, "corpus", Mapping), "task", str)
    inputs, state = _field(described, "inputs", int), _field(stored, "state_dict", Mapping)
    weights = {str(name).removeprefix("model."): value for name, value in state.items()}
    cell = complete_cell_options(_field(config, "cell", Mapping))
    options = _model_options(_field(config, "model", Mapping))
    if options["layers"] <= len(weights):
        with torch.device("meta"):  # shapes without memory
            shapes = _build(cell, options, inputs, len(vocabulary)).state_dict()
    if options["layers"] > len(weights) or not _have_same_shapes(weights, shapes):
        raise UserError(
            f"it holds weights for another model than its vocabulary of {len(vocabulary)} and its config "
            "describe"
        )
    if OOV_TOKEN in vocabulary and inputs < len(vocabulary):
        raise UserError(f"it reads {inputs} of the {len(vocabulary)} characters of its vocabulary")
    _check_values(weights)
    model = _build(cell, options, inputs, len(vocabulary))
    if any(value.dtype == torch.float64 for value in weights.values()):
        model = model.double()
    model.load_state_dict(weights)
    return TrainedModel(model, vocabulary, config)


def _field(values: CheckpointContent, name: str, kind: type) -> Any:
    value = values.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError(f"its {name} is of the wrong type" if name in values else f"it lacks '{name}'")
    return value


def _read_vocabulary(described: CheckpointContent) -> Vocabulary:
    tokens = _field(described, "tokens", Sequence)
    if not tokens or not all(isinstance(token, str) for token in tokens) or len({*tokens}) < len(tokens):
        raise UserError("its vocabulary is empty, or holds a token twice, or something else than text")
    return Vocabulary(tokens)


def _model_options(model: CheckpointContent) -> CheckpointContent:
    """Return the group `model`, complete: checkpoints of earlier versions lack some of its keys."""
    earlier = {
        name: value for name, field in ModelOptions.model_fields.items() for value in value_before(field)
    }
    options = {**earlier, "pretrained_embeddings": None, **model}
    validate_group(ModelOptions, options, "model")
    return options


def _build(cell: CheckpointContent, model: CheckpointContent, inputs: int, outputs: int) -> LanguageModel:
    try:
        return build_language_model(cell, model, inputs, outputs)
    except ValueError as error:  # such as tied weights of different shapes
        raise UserError(first_line(error)) from error
    except (RuntimeError, TypeError) as error:  # what torch makes of sizes beyond 64 bits
        raise UserError("its config describes a model larger than any memory") from error


def _have_same_shapes(weights: Mapping[str, object], shapes: Mapping[str, Tensor]) -> bool:
    return weights.keys() == shapes.keys() and all(
        isinstance(value, Tensor) and value.shape == shapes[name].shape for name, value in weights.items()
    )


def _check_values(weights: Mapping[str, Tensor]) -> None:
    """Raise UserError where a weight is no finite number, or a tensor has more than its file."""
    for name, value in weights.items():
        is_plain = value.layout == torch.strided and value.dtype in FLOAT_TYPES
        if not is_plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise UserError(f"its weights {name} are not stored as plain numbers")
        if not value.isfinite().all():
            raise UserError(f"its weights {name} hold NaN or infinity")


def _no_best_checkpoint(folder: Path) -> UserError:
    checkpoints = sorted(path.name for path in folder.glob("*.ckpt"))
    if checkpoints:
        return UserError(f"{folder} is no run's folder; it holds {', '.join(checkpoints)}: name one of these")
    runs = sorted(p.parent.name for p in folder.glob("*/checkpoints"))
    if runs:
        return UserError(f"{folder} is a sweep with the runs {', '.join(runs)}: name the folder of a run")
    return UserError(f"{folder} holds no run with a best checkpoint: name the folder of a run")
