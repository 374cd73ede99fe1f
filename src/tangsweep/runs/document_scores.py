"""scores.npz: the nats and characters of every scored document of a run, at the best epoch's weights.

For each set, `dev` and `test`, the arrays are `test/names`, `test/authors`, `test/nats`, `test/characters`,
`test/known_nats` and `test/known_characters`, each (documents,). Known: where the target is in the training
vocabulary. A document of poems is a poem; of a book it is a thousand characters.
"""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tangsweep.files import atomic_write, read_regular_file
from tangsweep.runs.checksums import is_changed, recorded_checksums
from tangsweep.runs.folder import RunFolder

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class DocumentSums(NamedTuple):
    """Sums over the scored positions of each of D documents."""

    nats: Floats
    characters: Ints
    known_nats: Floats
    known_characters: Ints

    @classmethod
    def of_text(cls, nats: Floats, documents: NDArray[np.integer], is_known: NDArray[np.bool_]) -> Self:
        """Sum the nats of characters (N,), given the document of each and whether it is known."""
        count = int(documents.max()) + 1
        return cls(
            np.bincount(documents, nats, count).astype(float),
            np.bincount(documents, minlength=count),
            np.bincount(documents[is_known], nats[is_known], count).astype(float),
            np.bincount(documents[is_known], minlength=count),
        )


class DocumentScores(NamedTuple):
    """The documents of a set, and their sums."""

    names: NDArray[np.str_]
    authors: NDArray[np.str_]  # empty words where they are not known
    sums: DocumentSums


def write_document_scores(folder: RunFolder, scores: Mapping[str, DocumentScores]) -> None:
    """Write scores.npz, whole or not at all."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, of_set in scores.items():
        arrays |= {f"{name}/names": of_set.names, f"{name}/authors": of_set.authors}
        arrays |= {f"{name}/{field}": values for field, values in of_set.sums._asdict().items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(folder.document_scores, buffer.getvalue())


def read_document_sums(folder: RunFolder, name: str) -> DocumentSums | None:
    """Return the sums of the set `name`; None where there are none, they cannot be read or were changed."""
    sums = _read_arrays(folder, name, DocumentSums._fields)
    if sums is None or not all(_is_sum(values) and len(values) == len(sums[0]) for values in sums):
        return None
    return DocumentSums(*sums)  # type: ignore[arg-type]


def _is_sum(values: NDArray[np.generic]) -> bool:
    """Return whether an array may hold nats or characters of documents."""
    return values.ndim == 1 and values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


def read_authors(folder: RunFolder, name: str) -> NDArray[np.str_] | None:
    """Return the author of each document of the set `name`; None where they are as good as missing."""
    arrays = _read_arrays(folder, name, ["authors"])
    return None if arrays is None or arrays[0].ndim != 1 else arrays[0].astype(str)


def _read_arrays(folder: RunFolder, name: str, fields: Sequence[str]) -> Sequence[NDArray[np.generic]] | None:
    try:
        if is_changed(folder.document_scores, recorded_checksums(folder)):
            return None
        content = io.BytesIO(read_regular_file(folder.document_scores))
        with np.load(content, allow_pickle=False) as stored:
            return [stored[f"{name}/{field}"] for field in fields]
    except Exception:  # of a damaged archive: zipfile, zlib and NumPy raise a dozen kinds, MemoryError too
        return None
