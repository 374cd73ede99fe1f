"""The documents that comparable runs were scored on, with the nats of each run."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tangsweep.reporting.analysis.sampling import Units
from tangsweep.reporting.data.comparability import ComparableRuns
from tangsweep.runs.document_scores import DocumentSums, read_authors, read_document_sums
from tangsweep.runs.folder import RunFolder


class ScoredDocuments(NamedTuple):
    """The D documents of the set that ranks, and the nats of each run."""

    nats: dict[str, NDArray[np.float64]]  # run → (D,)
    units: Units


def read_scored_documents(
    comparable: ComparableRuns, folders: Mapping[str, RunFolder]
) -> ScoredDocuments | None:
    """Return the documents of all runs with a score; None where one lacks them, or accuracy ranks."""
    scored = comparable.runs[comparable.runs[comparable.score_column].notna()]
    if comparable.by_accuracy or scored.empty:
        return None
    by_run: dict[str, DocumentSums] = {}
    for run in scored["run"]:
        sums = read_document_sums(folders[run], comparable.ranked_by.set)
        if sums is None:
            return None
        by_run[str(run)] = sums
    first, is_known = next(iter(by_run)), comparable.ranked_by.known
    characters = _characters(by_run[first], is_known)
    authors = read_authors(folders[first], comparable.ranked_by.set)
    same = (np.array_equal(_characters(sums, is_known), characters) for sums in by_run.values())
    if authors is None or not all(same):
        return None
    nats = {run: sums.known_nats if is_known else sums.nats for run, sums in by_run.items()}
    return ScoredDocuments(nats, Units.of_documents(characters, authors))


def _characters(sums: DocumentSums, is_known: bool) -> NDArray[np.int64]:
    return sums.known_characters if is_known else sums.characters
