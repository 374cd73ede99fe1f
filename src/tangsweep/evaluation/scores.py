"""Scores a model on batches, and a finished run on all its texts."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from tangsweep.batches.batch import Batch, RunBatches
from tangsweep.checkpoint import load_model
from tangsweep.language_model import LanguageModel, ScoredPositions
from tangsweep.metrics import Tally, compute_scores
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LastScores, OovFacts, Record, Scores


def tally_batch(positions: ScoredPositions, pad: int | None) -> Tally:
    """Return the sums over a batch. Positions whose target is `pad` are summed apart; None: all are text."""
    nats = positions.nats.double()
    padding = positions.targets == pad if pad is not None else torch.zeros_like(positions.hits)
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
    )


def evaluate(model: LanguageModel, batches: Iterable[Batch], pad: int | None) -> Tally:
    """Return the sums over all `batches`, with dropout off, on the device where the model lies."""
    like = next(model.parameters())
    was_training = model.training
    model.eval()
    total, carry = Tally(), None
    for batch in batches:
        targets = batch.targets.to(like.device)
        positions, carry = model.score(
            _move(batch.inputs, like),
            targets,
            None if batch.times is None else _move(batch.times, like),
            carry if batch.carry else None,
        )
        total = total + tally_batch(positions, pad)
    model.train(was_training)
    return total


def _move(tensor: Tensor, like: Tensor) -> Tensor:
    """Move to the model's device; real numbers also to its precision."""
    if tensor.is_floating_point():
        return tensor.to(like.device, like.dtype)
    return tensor.to(like.device)


def record_final_scores(
    record: Record,
    model: LanguageModel,
    batches: RunBatches,
    folder: RunFolder,
    best_epoch: int,
    oov: Mapping[str, OovFacts],
) -> None:
    """Record scores of every text at the last weights and at the best epoch's.

    Leaves `model` with the best epoch's weights. The last weights of a run that diverged, which gave a loss
    that is NaN or infinite, are not scored; without a best epoch there are no other scores. A stream
    without end has no training score. `oov` are the corpus's facts of that name, for each text that has
    any.
    """
    record.best_epoch, record.train, record.dev, record.last = None, None, None, None
    if record.status == "done":
        record.last = LastScores(**_score_texts(model, batches, oov))
    if best_epoch:
        model.load_state_dict(load_model(folder.best).model.state_dict())
        record.best_epoch = best_epoch
        for name, text_scores in _score_texts(model, batches, oov).items():
            setattr(record, name, text_scores)


def _score_texts(
    model: LanguageModel, batches: RunBatches, oov: Mapping[str, OovFacts]
) -> dict[str, Scores | None]:
    by_text: dict[str, Scores | None] = {"train": None, "dev": None}
    for name, text_batches in batches.evaluation_sets().items():
        unknown = oov.get(name, OovFacts())
        tally = evaluate(model, text_batches, batches.pad)
        values = compute_scores(tally, unknown.positions, unknown.unseen_types, batches.whole_sequences)
        by_text[name] = Scores.model_validate(values)
    return by_text
