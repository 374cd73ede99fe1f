"""The rows of metrics.csv that last.ckpt holds, read without torch, which takes seconds to import."""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

METRICS_TEXT = "tangsweep_metrics"  # key in last.ckpt: metrics.csv up to that checkpoint
_PICKLED_KEY = b"X" + len(METRICS_TEXT).to_bytes(4, "little") + METRICS_TEXT.encode()


def rows_text_in(checkpoint: Path) -> str | None:
    """Return the text of metrics.csv up to a checkpoint; None where there is none, or it was damaged.

    zipfile compares the checksum of the part that is read, and nothing in it is run.
    """
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            pickled = archive.read(name)
        texts = _pickled_texts(pickled[pickled.index(_PICKLED_KEY) :])
        next(texts)  # the key
        return next(texts)
    except Exception:  # of a damaged archive: zipfile, zlib and pickletools raise a dozen kinds
        return None


def _pickled_texts(pickled: bytes) -> Iterator[str]:
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name == "BINUNICODE" and isinstance(argument, str):
            yield argument
