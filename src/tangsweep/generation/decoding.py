"""Chooses the next character from a model's logits: greedy, by sampling, or by beam search."""

from typing import NamedTuple

import torch
from torch import Tensor

NEGATIVE_INFINITY = float("-inf")
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-30, 1e30  # beyond, float32 overflows
MIN_LOG_PROBABILITY = -1e4  # instead of log 0, so that an allowed id is always likelier than a barred one


class Decoding(NamedTuple):
    """How characters are chosen.

    Without `beam`: sampling at `temperature` (0 is greedy) from the `top_k` likeliest characters, or from the
    fewest whose probabilities sum to `top_p` (Holtzman et al. 2020). With `beam`: a beam search of that width
    for the likeliest texts.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None


def choose_ids(logits: Tensor, allowed: Tensor, uniform: Tensor, decoding: Decoding) -> Tensor:
    """Choose one token id for each row (R) among those `allowed` (R, V) or (V); each row has at least one.

    `logits` (R, V) may be −∞; if all allowed ids of a row are impossible, they are equally likely. Of equal
    logits, greedy decoding takes the lowest id and top_k keeps the lower ids. `uniform` (R), in [0, 1),
    is the only source of chance: the same number always gives the same id. Greedy decoding ignores it.
    """
    scores = logits.masked_fill(~allowed, NEGATIVE_INFINITY)
    best = scores.amax(-1, keepdim=True)
    impossible = best[:, 0] == NEGATIVE_INFINITY
    if impossible.any():
        scores = torch.where(impossible[:, None] & allowed, 0.0, scores)
        best = scores.amax(-1, keepdim=True)
    if decoding.temperature == 0:
        return _first_true(scores == best)
    if decoding.top_k is None and decoding.top_p is None:
        return _sample_index(_relative_likelihoods(scores, best, decoding.temperature), uniform)
    ordered, ids = scores.sort(dim=-1, descending=True, stable=True)
    likelihoods = _truncate(_relative_likelihoods(ordered, best, decoding.temperature), decoding)
    place = _sample_index(likelihoods, uniform)
    return ids.gather(-1, place[:, None])[:, 0]


def _relative_likelihoods(scores: Tensor, best: Tensor, temperature: float) -> Tensor:
    """Return the likelihoods relative to the best one, which is 1; never NaN because `best` is finite."""
    return ((scores - best) / min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)).exp_()


def log_probabilities(logits: Tensor) -> Tensor:
    """Return natural logarithms (…, V), float32, at least MIN_LOG_PROBABILITY.

    A logit that is NaN counts as impossible and +∞ as the largest float, so that a model whose weights
    overflow can still be decoded.
    """
    finite = logits.float().nan_to_num(
        nan=NEGATIVE_INFINITY, neginf=NEGATIVE_INFINITY, posinf=torch.finfo(torch.float32).max
    )
    return finite.log_softmax(-1).nan_to_num(nan=MIN_LOG_PROBABILITY).clamp_(min=MIN_LOG_PROBABILITY)


def extend_beams(nats: Tensor, log_probs: Tensor, allowed: Tensor, beam: int) -> tuple[Tensor, Tensor]:
    """Make the next step of a beam search: return each row's (R) parent row and its next id.

    Every `beam` consecutive rows are one beam; they receive its likeliest continuations, the likeliest first.
    `nats` (R) is the cost of each row so far, ∞ for a row that is not in use.
    """
    rows, ids = log_probs.shape
    costs = (nats[:, None] - log_probs.double()).masked_fill(~allowed, float("inf"))
    best = costs.view(rows // beam, beam * ids).topk(beam, largest=False).indices
    first_rows = torch.arange(0, rows, beam, device=log_probs.device)[:, None]
    return (first_rows + best // ids).flatten(), (best % ids).flatten()


def _first_true(mask: Tensor) -> Tensor:
    """Return the lowest index of a true entry in each row."""
    width = mask.shape[-1]
    places = torch.arange(width, device=mask.device)
    return torch.where(mask, places, width).amin(-1)


def _sample_index(likelihoods: Tensor, uniform: Tensor) -> Tensor:
    """Sample an index in each row in proportion to its likelihood; an index of likelihood 0 never occurs."""
    cumulative = likelihoods.cumsum(-1, dtype=torch.float64)
    target = uniform.to(cumulative)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=likelihoods.shape[-1] - 1)


def _truncate(ordered: Tensor, decoding: Decoding) -> Tensor:
    """Set likelihoods, in descending order, to 0 outside top_k and top_p. The first always stays."""
    remaining = ordered
    if decoding.top_k is not None:
        dropped = torch.zeros_like(remaining[:, decoding.top_k :])
        remaining = torch.cat([remaining[:, : decoding.top_k], dropped], -1)
    if decoding.top_p is not None:
        before = remaining.cumsum(-1, dtype=torch.float64) - remaining
        remaining = remaining.masked_fill(before >= decoding.top_p * remaining.sum(-1, keepdim=True), 0.0)
        remaining[:, 0] = ordered[:, 0]
    return remaining
