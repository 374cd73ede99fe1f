"""Scores a model on batches: sums over scored positions, for a whole set and for each of its documents."""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tangsweep.batches.batch import Batch, TextBatches
from tangsweep.language_model import Carry, LanguageModel, ScoredPositions
from tangsweep.metrics import Tally

HALF_PRECISION = (torch.bfloat16, torch.float16)


def tally_batch(positions: ScoredPositions, pad: int | None, oov: int | None = None) -> Tally:
    """Return the sums over a batch.

    Positions whose target is `pad` are summed apart (None: all are text); those whose target is `oov` are
    text, and summed once more.
    """
    nats = positions.nats.double()
    padding, unknown = _is_target(positions, pad), _is_target(positions, oov)
    text = ~padding
    rows = positions.rows[text]
    row_nats, row_characters = torch.bincount(rows, nats[text]), torch.bincount(rows)
    scored = row_characters > 0
    return Tally(
        nats=row_nats.sum().item(),
        characters=len(rows),
        hits=int((positions.hits & text).sum()),
        sequences=int(scored.sum()),
        sequence_perplexities=(row_nats[scored] / row_characters[scored]).exp().sum().item(),
        pad_nats=nats[padding].sum().item(),
        pads=int(padding.sum()),
        oov_nats=nats[unknown].sum().item(),
        oov=int(unknown.sum()),
    )


def _is_target(positions: ScoredPositions, id: int | None) -> Tensor:
    return torch.zeros_like(positions.hits) if id is None else positions.targets == id


def evaluate(
    model: LanguageModel, batches: Iterable[Batch], pad: int | None, oov: int | None = None
) -> Tally:
    """Return the sums over all `batches`, with dropout off, on the device where the model lies.

    Weights of half precision are scored in float32. `pad` and `oov` are those of `tally_batch`.
    """
    total = Tally()
    for positions in _score_batches(model, batches):
        total = total + tally_batch(positions, pad, oov)
    return total


def evaluate_text(
    model: LanguageModel, batches: TextBatches, pad: int | None, oov: int | None
) -> tuple[Tally, NDArray[np.float64]]:
    """Return the sums over all `batches`, and the nats (N,) of each character of the text, in its order."""
    total, nats = Tally(), np.zeros(len(batches.targets))
    for number, positions in enumerate(_score_batches(model, batches)):
        total = total + tally_batch(positions, pad, oov)
        text = ~_is_target(positions, pad)
        rows, steps = positions.rows[text].cpu().numpy(), positions.steps[text].cpu().numpy()
        nats[batches.first_targets(number)[rows] + steps] = positions.nats[text].double().cpu().numpy()
    return total, nats


def _score_batches(model: LanguageModel, batches: Iterable[Batch]) -> Iterable[ScoredPositions]:
    model, carry = at_least_float32(model), None
    was_training = model.training
    model.eval()
    for batch in batches:
        positions, carry = score_batch(model, batch, carry)
        yield positions
    model.train(was_training)


def at_least_float32(model: LanguageModel) -> LanguageModel:
    """Return the model, or a copy in float32 where its weights are of half precision."""
    is_half = next(model.parameters()).dtype in HALF_PRECISION
    return copy.deepcopy(model).float() if is_half else model


def score_batch(model: LanguageModel, batch: Batch, carry: Carry | None) -> tuple[ScoredPositions, Carry]:
    """Score a batch, which continues from `carry` where it says so, and return the new carry."""
    like = next(model.parameters())
    return model.score(
        _move(batch.inputs, like),
        batch.targets.to(like.device),
        None if batch.times is None else _move(batch.times, like),
        carry if batch.carry else None,
    )


def _move(tensor: Tensor, like: Tensor) -> Tensor:
    """Move to the model's device; real numbers also to its precision."""
    if tensor.is_floating_point():
        return tensor.to(like.device, like.dtype)
    return tensor.to(like.device)
