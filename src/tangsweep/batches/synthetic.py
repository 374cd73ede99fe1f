"""What palindromes and waves share: examples drawn by a rule, of which only the last step is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tangsweep.batches.encoded_text import Documents
from tangsweep.runs.record import CorpusFacts, Counts

if TYPE_CHECKING:
    from tangsweep.batches.batch import Batch

MAX_TIME_STEPS = 50_000  # time steps of all rows of an evaluation batch together


@dataclass(frozen=True)
class SyntheticCorpus:
    """A corpus that is a rule; `fingerprint` changes with what it draws."""

    name: str
    fingerprint: str
    source: str = "drawn"
    verified: bool = True
    fallback: str = ""


class EncodedExamples(NamedTuple):
    """Sizes, names and baselines of a synthetic task; its examples are drawn when they are needed."""

    tokens: Sequence[str]
    inputs: int
    facts: CorpusFacts
    baselines: dict[str, float | None]
    documents: Mapping[str, Documents] = {}  # none: every example is one of its own


def synthetic_facts(
    fingerprint: str, dev_size: int, classes: int, vocabulary_fingerprint: str, **more: object
) -> CorpusFacts:
    """Return the facts of a stream without end: one class is scored in each example."""
    return CorpusFacts.model_validate(
        {
            "characters": Counts(train=None, dev=dev_size),
            "sequences": Counts(train=None, dev=dev_size),
            "vocabulary": classes,
            **more,
            "dev_fingerprint": f"{fingerprint}-{dev_size}",
            "vocabulary_fingerprint": vocabulary_fingerprint,
            "split_fingerprint": f"{fingerprint}-{dev_size}",
        }
    )


def split_batch(batch: "Batch", max_time_steps: int = MAX_TIME_STEPS) -> "list[Batch]":
    """Split a batch into batches of whole rows, for evaluation.

    Each has at most `max_time_steps` time steps, added over its rows, or a single row.
    """
    size = max(1, max_time_steps // batch.inputs.shape[1])
    parts = [[None] * len(batch.inputs) if t is None else t.split(size) for t in batch[:3]]
    return [type(batch)(*part) for part in zip(*parts, strict=False)]
