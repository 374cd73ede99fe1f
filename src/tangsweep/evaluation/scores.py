"""An evaluation: what a model scores on batches, as the sums of `metrics.Tally`."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from tangsweep.batches.batch import Batch
from tangsweep.language_model import Hits, LanguageModel
from tangsweep.metrics import Tally


def tally_batch(found: Hits, pad: int | None) -> Tally:
    """The sums over a batch. Positions whose target is `pad` are summed apart; None: every target is text."""
    nats = found.nats.double()
    padding = found.targets == pad if pad is not None else torch.zeros_like(found.hits)
    text = ~padding
    rows = found.rows[text]
    of_row, characters = torch.bincount(rows, nats[text]), torch.bincount(rows)
    known = characters > 0
    return Tally(
        nats=of_row.sum().item(),
        characters=len(rows),
        hits=int((found.hits & text).sum()),
        sequences=int(known.sum()),
        sequence_perplexities=(of_row[known] / characters[known]).exp().sum().item(),
        pad_nats=nats[padding].sum().item(),
        pads=int(padding.sum()),
    )


def evaluate(model: LanguageModel, batches: Iterable[Batch], pad: int | None) -> Tally:
    """The tally of all `batches`, dropout off, on the device where the model lies."""
    like = next(model.parameters())
    training = model.training
    model.eval()
    total, left = Tally(), None
    for batch in batches:
        inputs, times = _placed(batch.inputs, like), _placed(batch.times, like)
        found, left = model.score(inputs, batch.targets.to(like.device), times, left if batch.carry else None)
        total = total + tally_batch(found, pad)
    model.train(training)
    return total


def _placed(tensor: Tensor | None, like: Tensor) -> Any:
    """On the model's device; reals in its precision."""
    if tensor is None:
        return None
    return tensor.to(like.device, like.dtype if tensor.is_floating_point() else None)
