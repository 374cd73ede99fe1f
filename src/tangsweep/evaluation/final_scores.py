"""Scores a run that has ended: its last weights, then those of its best epoch, on every set."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tangsweep.batches.batch import RunBatches, TextBatches
from tangsweep.batches.encoded_text import EncodedCorpus
from tangsweep.checkpoint import load_model
from tangsweep.corpora.vocabulary import OOV_TOKEN
from tangsweep.errors import UserError
from tangsweep.evaluation.breakdown import break_down, kinds_of_targets
from tangsweep.evaluation.scores import evaluate, evaluate_text
from tangsweep.language_model import LanguageModel
from tangsweep.metrics import compute_scores
from tangsweep.runs.document_scores import DocumentScores, DocumentSums, write_document_scores
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.metrics_file import FilledRow, evaluated_losses
from tangsweep.runs.record import Breakdown, LastScores, OovFacts, Record, Scores

TRAIN, TEST = "train", "test"
# How far a development loss may be from the one that was logged: relative, and below one nat absolute, since
# float32 has no more digits there.
TOLERANCE = 1e-6
TOLERANCE_OF_GPU = 1e-4


class ScoredSets(NamedTuple):
    """The scores of sets, by their names; of texts also those of each document."""

    scores: dict[str, Scores]
    documents: dict[str, DocumentSums]
    nats: dict[str, NDArray[np.float64]]  # of each character


class LoggedLosses(NamedTuple):
    """The development loss of each epoch as it was measured while the run trained, in nats per character."""

    by_epoch: Mapping[int, float]
    tolerance: float

    @classmethod
    def of_run(cls, rows: Iterable[FilledRow], accelerator: str) -> Self:
        """Take them from the rows of a metrics.csv; the CPU scores the end, and a GPU rounds otherwise."""
        return cls(evaluated_losses(rows), TOLERANCE if accelerator == "cpu" else TOLERANCE_OF_GPU)

    def compare(self, scores: Scores, epoch: int, weights: str) -> None:
        """Raise UserError where the weights of `epoch` now have another loss: one of the two was damaged."""
        logged = self.by_epoch.get(epoch)
        if logged is None or scores.loss is None:
            return
        if not math.isclose(scores.loss, logged, rel_tol=self.tolerance, abs_tol=self.tolerance):
            raise UserError(
                f"{weights} of epoch {epoch} have a development loss of {scores.loss:.8g}, and metrics.csv "
                f"says {logged:.8g}: one of the two was changed, train the run anew (rerun=all)"
            )


def record_final_scores(
    record: Record,
    model: LanguageModel,
    batches: RunBatches,
    encoded: EncodedCorpus,
    folder: RunFolder,
    best_epoch: int,
    logged: LoggedLosses,
) -> None:
    """Record scores of every set at the last weights and at the best epoch's; write scores.npz.

    The test set is scored only once, with the best epoch's weights, which `model` has afterwards. The last
    weights of a run that diverged, which gave a loss that is NaN or infinite, are not scored; without a best
    epoch there are no other scores. A stream without end has no training score. Raises UserError where
    best.ckpt is damaged, or where a development loss is not the one that was logged.
    """
    record.best_epoch, record.train, record.dev, record.last = None, None, None, None
    names = set(batches.evaluation_sets())
    last: dict[str, Scores] = {}
    if record.status == "done":
        last = score_sets(model, batches, encoded, names - {TEST}).scores
        logged.compare(last["dev"], max(logged.by_epoch, default=0), "the last weights")
        record.last = LastScores(**({"train": None} | last))
    if best_epoch:
        best = load_model(folder.best).model.state_dict()
        # The training text is by far the longest: it is not scored twice with the same weights.
        scored_before = {TRAIN} & last.keys() if _are_equal(best, model.state_dict()) else set()
        model.load_state_dict(best)
        record.best_epoch = best_epoch
        scored = score_sets(model, batches, encoded, names - scored_before)
        scored.scores.update({name: last[name] for name in scored_before})
        logged.compare(scored.scores["dev"], best_epoch, "the weights in best.ckpt")
        for name, scores in scored.scores.items():
            setattr(record, name, scores)
        record.breakdown = breakdown_of(scored, encoded)
        write_scores_of_documents(folder, scored, encoded)


def _are_equal(weights: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(weight, others[name]) for name, weight in weights.items())


def breakdown_of(scored: ScoredSets, encoded: EncodedCorpus) -> Breakdown | None:
    """Return where the nats of the test set go, or of the development set without one; None: no text."""
    name = TEST if TEST in scored.nats else "dev"
    if name not in scored.nats:
        return None
    return Breakdown(set=name, ways=break_down(scored.nats[name], kinds_of_targets(encoded, name)))


def score_sets(
    model: LanguageModel, batches: RunBatches, encoded: EncodedCorpus, names: set[str]
) -> ScoredSets:
    """Return the scores of the sets of these names."""
    oov = list(encoded.tokens).index(OOV_TOKEN) if OOV_TOKEN in encoded.tokens else None
    scored = ScoredSets({}, {}, {})
    for name, of_set in batches.evaluation_sets().items():
        if name not in names:
            continue
        if name != "train" and isinstance(of_set, TextBatches):
            tally, nats = evaluate_text(model, of_set, batches.pad, oov)
            is_known = of_set.targets != (-1 if oov is None else oov)
            scored.documents[name] = DocumentSums.of_text(nats, of_set.documents, is_known)
            scored.nats[name] = nats
        else:
            tally = evaluate(model, of_set, batches.pad, oov)
        facts = (encoded.facts.oov or {}).get(name, OovFacts())
        values = compute_scores(tally, facts.unseen_types, batches.whole_sequences)
        scored.scores[name] = Scores.model_validate(values)
    return scored


def write_scores_of_documents(folder: RunFolder, scored: ScoredSets, encoded: EncodedCorpus) -> None:
    """Write the nats of each document of the held-out sets, where the corpus has documents."""
    scores = {}
    for name, sums in scored.documents.items():
        if name in encoded.documents:
            documents = encoded.documents[name]
            names, authors = documents.names, documents.authors
        else:  # parts of a book
            names = [str(number) for number in range(len(sums.nats))]
            authors = [""] * len(names)
        scores[name] = DocumentScores(np.array(names), np.array(authors), sums)
    if scores:
        write_document_scores(folder, scores)
