"""How perplexity counts: sums of nats, scored positions and hits in; scores out.

Every scored character weighs the same: perplexity is exp(total nats / total scored characters) over
the whole set, never a mean of batch or sequence means. Which positions are scored is decided by the
targets (−1: not scored); `<pad>` is kept in sums of its own. See docs/perplexity.md.
"""

import math
from dataclasses import dataclass, fields


@dataclass
class Tally:
    """Sums over scored positions, in nats; add them up, then ask for scores."""

    nats: float = 0.0
    characters: int = 0
    hits: int = 0
    sequences: int = 0
    sequence_perplexities: float = 0.0  # Σ over sequences of exp(its nats / its characters)
    pad_nats: float = 0.0
    pads: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def loss(self) -> float:
        """Nats per scored character; NaN where nothing was scored."""
        return self.nats / self.characters if self.characters else math.nan

    @property
    def perplexity(self) -> float:
        return _exp(self.loss)

    @property
    def accuracy(self) -> float:
        return self.hits / self.characters if self.characters else math.nan


def scores(
    tally: Tally, oov: int = 0, unseen_types: int = 0, whole_sequences: bool = True
) -> dict[str, float | int | None]:
    """All the scores that a record carries, named so that nobody mixes them up.

    `oov` scored characters are `<oov>`, standing for `unseen_types` characters that the vocabulary
    lacks: `perplexity_oov_charged` adds ln(unseen_types) nats for each, as if the model then had to
    guess which. `perplexity_padded` counts padding as text and is None where none was scored. Where the
    tally's sequences are pieces of one long text, the scores of a mean over sequences are None.
    """
    padded = (tally.nats + tally.pad_nats) / max(tally.characters + tally.pads, 1)
    charge = oov * math.log(unseen_types) if unseen_types else 0.0
    count = max(tally.sequences, 1)
    return {
        "nats": tally.nats,
        "characters": tally.characters,
        "loss": tally.loss,
        "perplexity": tally.perplexity,
        "bits_per_character": tally.loss / math.log(2),
        "accuracy": tally.accuracy,
        "perplexity_mean_over_sentences": tally.sequence_perplexities / count if whole_sequences else None,
        "nats_per_sequence": tally.nats / count if whole_sequences else None,
        "perplexity_oov_charged": _exp((tally.nats + charge) / max(tally.characters, 1)),
        "perplexity_padded": _exp(padded) if tally.pads else None,
    }


def _exp(value: float) -> float:
    """exp, with infinity instead of an overflow."""
    return math.exp(value) if value < 709 else (math.nan if math.isnan(value) else math.inf)
