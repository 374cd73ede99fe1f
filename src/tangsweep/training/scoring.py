"""Logits in, sums out: the bridge from tensors to `metrics.Tally`."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from tangsweep.batches.batch import Batch
from tangsweep.language_model import LanguageModel, nats
from tangsweep.metrics import Tally


def tally(logits: Tensor, targets: Tensor, pad: int | None) -> Tally:
    """Sums over a batch: `logits` (B, T, V), `targets` (B, T), −1 where a position is not scored.

    Positions whose target is `pad` are summed apart; None: every target is text.
    """
    losses = nats(logits, targets).double()
    padding = targets == pad if pad is not None else torch.zeros_like(targets, dtype=torch.bool)
    text = (targets >= 0) & ~padding
    hits = (logits.argmax(-1) == targets) & text
    row_nats, row_characters = (losses * text).sum(1), text.sum(1)
    rows = row_characters > 0
    return Tally(
        nats=row_nats.sum().item(),
        characters=int(row_characters.sum()),
        hits=int(hits.sum()),
        sequences=int(rows.sum()),
        sequence_perplexities=(row_nats[rows] / row_characters[rows]).exp().sum().item(),
        pad_nats=(losses * padding).sum().item(),
        pads=int(padding.sum()),
    )


def evaluate(model: LanguageModel, batches: Iterable[Batch], pad: int | None) -> Tally:
    """The tally of all `batches`, dropout off, on the device where the model lies."""
    like = next(model.parameters())
    training = model.training
    model.eval()
    total, left = Tally(), None
    with torch.no_grad():
        for batch in batches:
            inputs, times = _placed(batch.inputs, like), _placed(batch.times, like)
            logits, left = model(inputs, times, left if batch.carry else None)
            total = total + tally(logits, batch.targets.to(like.device), pad)
    model.train(training)
    return total


def _placed(tensor: Tensor | None, like: Tensor) -> Any:
    """On the model's device; reals in its precision."""
    if tensor is None:
        return None
    return tensor.to(like.device, like.dtype if tensor.is_floating_point() else None)
