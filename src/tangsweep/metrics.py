"""How perplexity and the other scores are computed, from sums over scored positions.

Every scored character weighs the same: perplexity is exp(total nats / total scored characters) over the
whole set, never a mean of the means of batches or sequences. A target of −1 is not scored; `<pad>` has sums
of its own. See docs/perplexity.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields


@dataclass
class Tally:
    """Sums over scored positions. Tallies of batches add up to the tally of the whole set."""

    nats: float = 0.0
    characters: int = 0
    hits: int = 0
    sequences: int = 0
    sequence_perplexities: float = 0.0  # Σ over sequences of exp(its nats / its characters)
    pad_nats: float = 0.0
    pads: int = 0
    oov_nats: float = 0.0  # of the characters whose target is <oov>; they count above too
    oov: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def sums(self) -> list[float]:
        """Return the sums as numbers that add up over processes."""
        return [float(getattr(self, field.name)) for field in fields(self)]

    @classmethod
    def from_sums(cls, sums: Sequence[float]) -> "Tally":
        """Return the tally with these sums, in the order of `Tally.sums`."""
        counts = [field.name for field in fields(cls) if isinstance(field.default, int)]
        values = dict(zip([field.name for field in fields(cls)], sums, strict=True))
        return cls(**values | {name: int(values[name]) for name in counts})  # type: ignore[arg-type]

    def headline_scores(self) -> dict[str, float]:
        """Return the scores that are logged during training, by name."""
        return {
            "loss": self.loss,
            "bits_per_character": self.loss / math.log(2),
            "perplexity": self.perplexity,
            "accuracy": self.accuracy,
        }

    @property
    def loss(self) -> float:
        """Nats per scored character; NaN where nothing was scored."""
        return self.nats / self.characters if self.characters else math.nan

    @property
    def perplexity(self) -> float:
        return perplexity_of(self.loss)

    @property
    def known_loss(self) -> float:
        """Nats per character whose target is in the vocabulary; NaN where there is none."""
        count = self.characters - self.oov
        return (self.nats - self.oov_nats) / count if count else math.nan

    @property
    def accuracy(self) -> float:
        return self.hits / self.characters if self.characters else math.nan


def compute_scores(
    tally: Tally, unseen_types: int = 0, whole_sequences: bool = True
) -> dict[str, float | int | None]:
    """Return all scores of a record, by name.

    Known scores leave out the characters whose target is `<oov>`; `oov_loss` is what each of those costs.
    They stand for `unseen_types` characters that are not in the vocabulary: `perplexity_oov_charged` adds
    ln(unseen_types) nats for each, as if the model then had to guess which of them it is.
    `perplexity_padded` counts padding as text; it is None where no padding was
    scored. Without `whole_sequences` the sequences are pieces of one long text, and means over sequences are
    None.
    """
    padded = (tally.nats + tally.pad_nats) / max(tally.characters + tally.pads, 1)
    charge = tally.oov * math.log(unseen_types) if unseen_types else 0.0
    count = max(tally.sequences, 1)
    return {
        "nats": tally.nats,
        "characters": tally.characters,
        "known_nats": tally.nats - tally.oov_nats,
        "known_characters": tally.characters - tally.oov,
        "known_loss": tally.known_loss,
        "known_perplexity": perplexity_of(tally.known_loss),
        "oov_loss": tally.oov_nats / tally.oov if tally.oov else None,
        "loss": tally.loss,
        "perplexity": tally.perplexity,
        "bits_per_character": tally.loss / math.log(2),
        "accuracy": tally.accuracy,
        "perplexity_mean_over_sentences": tally.sequence_perplexities / count if whole_sequences else None,
        "nats_per_sequence": tally.nats / count if whole_sequences else None,
        "perplexity_oov_charged": perplexity_of((tally.nats + charge) / max(tally.characters, 1)),
        "perplexity_padded": perplexity_of(padded) if tally.pads else None,
    }


def perplexity_of(loss: float) -> float:
    """Return exp(loss), infinity instead of an overflow."""
    return math.exp(loss) if loss < 709 else (math.nan if math.isnan(loss) else math.inf)


@dataclass(frozen=True)
class Metric:
    """A score that can rank runs: its name in records, and which way is better."""

    name: str
    lower_is_better: bool

    @property
    def mode(self) -> str:
        """`min` or `max`, as Lightning names it."""
        return "min" if self.lower_is_better else "max"

    def better(self, value: float, other: float) -> bool:
        """Return whether `value` is strictly better than `other`; NaN is never better."""
        return value < other if self.lower_is_better else value > other

    def reaches(self, value: float, threshold: float) -> bool:
        """Return whether `value` is at least as good as `threshold`."""
        return value <= threshold if self.lower_is_better else value >= threshold

    def sort_key(self, value: float) -> float:
        """Return a number that sorts better values first."""
        return value if self.lower_is_better else -value


METRICS = {
    metric.name: metric
    for metric in (
        Metric("perplexity", lower_is_better=True),
        Metric("loss", lower_is_better=True),
        Metric("accuracy", lower_is_better=False),
    )
}
