"""How the next character is chosen from what the model says."""

from typing import NamedTuple

import torch
from torch import Tensor

NEVER = float("-inf")
COLDEST, HOTTEST = 1e-30, 1e30  # float32 knows little beyond; by then greedy, and blind
LEAST = -1e4  # stands for log 0, so that what is allowed is always likelier than what is not


class Decoding(NamedTuple):
    """Sampling at a temperature (0 is greedy), from the `top_k` likeliest characters, or from the fewest
    whose probabilities reach `top_p` (Holtzman et al. 2020); or with `beam`, no sampling: the texts that the
    model finds likeliest, as far as a beam search of that width finds them.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    beam: int | None = None


def choose(logits: Tensor, allowed: Tensor, uniform: Tensor, decoding: Decoding) -> Tensor:
    """One id a row (R), of those `allowed` (R, V) or (V), at least one a row.

    `logits` (R, V) may be −∞; where nothing allowed is possible, all that is allowed is equally likely. Equal
    logits: greedy takes the lowest id, top_k keeps the lower ids. `uniform` (R), in [0, 1), decides: the same
    draw always gives the same id.
    """
    scores = logits.masked_fill(~allowed, NEVER)
    best = scores.amax(-1, keepdim=True)
    lost = best[:, 0] == NEVER
    if lost.any():
        scores = torch.where(lost[:, None] & allowed, 0.0, scores)
        best = scores.amax(-1, keepdim=True)
    if decoding.temperature == 0:
        return _first(scores == best)
    if decoding.top_k is None and decoding.top_p is None:
        return _drawn(_likelihoods(scores, best, decoding.temperature), uniform)
    ordered, ids = scores.sort(dim=-1, descending=True, stable=True)
    place = _drawn(_cut(_likelihoods(ordered, best, decoding.temperature), decoding), uniform)
    return ids.gather(-1, place[:, None])[:, 0]


def _likelihoods(scores: Tensor, best: Tensor, temperature: float) -> Tensor:
    """In proportion to the probabilities, the best 1; never NaN, `best` being finite."""
    return ((scores - best) / min(max(temperature, COLDEST), HOTTEST)).exp_()


def log_probabilities(logits: Tensor) -> Tensor:
    """(…, V) natural logarithms, float32, never below LEAST; NaN in the logits counts as impossible.

    +∞ counts as the largest number there is: what a model whose weights overflow says can still be read.
    """
    sound = logits.float().nan_to_num(nan=NEVER, neginf=NEVER, posinf=torch.finfo(torch.float32).max)
    return sound.log_softmax(-1).nan_to_num(nan=LEAST).clamp_(min=LEAST)


def widen(nats: Tensor, logs: Tensor, allowed: Tensor, beam: int) -> tuple[Tensor, Tensor]:
    """The next step of a beam search: for each row (R), which row it goes on from, and with which id.

    Rows stand in groups of `beam`; those of a group are its likeliest continuations, the likeliest first.
    `nats` (R) is what each row has cost so far, ∞ where it is none.
    """
    rows, ids = logs.shape
    costs = (nats[:, None] - logs.double()).masked_fill(~allowed, float("inf"))
    best = costs.view(rows // beam, beam * ids).topk(beam, largest=False).indices
    groups = torch.arange(0, rows, beam, device=logs.device)[:, None]
    return (groups + best // ids).flatten(), (best % ids).flatten()


def _first(found: Tensor) -> Tensor:
    """The lowest index of a true entry in each row."""
    width = found.shape[-1]
    places = torch.arange(width, device=found.device)
    return torch.where(found, places, width).amin(-1)


def _drawn(likelihoods: Tensor, uniform: Tensor) -> Tensor:
    """An index a row, as likely as its share of the row's sum; never one of likelihood 0."""
    reached = likelihoods.cumsum(-1, dtype=torch.float64)
    target = uniform.to(reached)[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, target, right=True)[:, 0].clamp_(max=likelihoods.shape[-1] - 1)


def _cut(ordered: Tensor, decoding: Decoding) -> Tensor:
    """Likelihoods in falling order, 0 where top_k or top_p leaves them out; the first always stays."""
    kept = ordered
    if decoding.top_k is not None:
        kept = torch.cat([kept[:, : decoding.top_k], torch.zeros_like(kept[:, decoding.top_k :])], -1)
    if decoding.top_p is not None:
        before = kept.cumsum(-1, dtype=torch.float64) - kept
        kept = kept.masked_fill(before >= decoding.top_p * kept.sum(-1, keepdim=True), 0.0)
        kept[:, 0] = ordered[:, 0]
    return kept
