"""The tone annotation of 全唐诗 by the corpus's editors, joined with the poems."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tangsweep.corpora import download, tang
from tangsweep.files import absolute_path, data_folder

FOLDER = "strains"
URL = (
    "https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/"
    "99ebbef7e1345c0985c44b9fd96a3f9e776f117b/strains/json"
)
TONES = "平仄○？"  # level, oblique, either, unknown
EDITORS_MARKS = re.compile(r"[\[\]{}（）《》「」/=]")  # added to the poems after they were annotated
PARALLEL_DOWNLOADS = 8
PUNCTUATION = frozenset("，。！；：、")

ReportProgress = Callable[[int, int], None]  # takes the number of files that are ready, and of all files


class AnnotatedPoem(NamedTuple):
    """A poem's text and, for each character, one of TONES; punctuation marks stand in both."""

    poem: tang.Poem
    text: str
    tones: str


class ToneAnnotation(NamedTuple):
    """The poems whose annotation fits, and the number of the other poems by reason."""

    poems: list[AnnotatedPoem]
    skipped: dict[str, int]


def find_or_download_files(root: str | None, report_progress: ReportProgress) -> Iterator[tuple[Path, Path]]:
    """Yield the paths of (poems, annotation) for each of the corpus's files.

    A file is taken from `root` (None: from the folder that TANGSWEEP_DATA names, if it is set) if it equals
    the published one, else from data/, where it is downloaded. Raises NetworkUnreachable without a network,
    UserError if the server refuses.
    """
    folder = root or os.environ.get("TANGSWEEP_DATA")

    def find_pair(name: str) -> tuple[Path, Path]:
        return (
            _find_or_download(folder, f"{tang.FOLDER}/{name}", f"{tang.URL}/{name}"),
            _find_or_download(folder, f"{FOLDER}/{name}", f"{URL}/{name}"),
        )

    yield find_pair(tang.FILE_NAMES[0])  # before the others: without a network, one attempt is enough
    pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS)
    try:
        for count, paths in enumerate(pool.map(find_pair, tang.FILE_NAMES[1:]), 2):
            report_progress(count, len(tang.FILE_NAMES))
            yield paths
    finally:
        pool.shutdown(cancel_futures=True)


def _find_or_download(folder: str | None, relative: str, url: str) -> Path:
    if folder:
        path = absolute_path(folder) / relative
        if path.is_file() and download.is_published_file(relative, path):
            return path
    return download.download_file(relative, url, data_folder(), progress_bar=False)


def join_annotation(paths: Iterable[tuple[Path, Path]]) -> ToneAnnotation:
    """Join poems and annotation by id, because their order in the files differs."""
    poems: list[tang.Poem] = []
    tones: dict[str, str] = {}
    for poem_path, annotation_path in paths:
        poems += tang.parse_poem_file(poem_path)
        entries = json.loads(annotation_path.read_text(encoding="utf-8"))
        tones |= {entry["id"]: "".join(entry["strains"]) for entry in entries}
    annotated, skipped = [], Counter({"unannotated": 0, "length": 0, "punctuation": 0})
    for poem in poems:
        result = _annotate(poem, tones.get(poem.id))
        if isinstance(result, AnnotatedPoem):
            annotated.append(result)
        else:
            skipped[result] += 1
    return ToneAnnotation(annotated, dict(skipped))


def _annotate(poem: tang.Poem, tones: str | None) -> AnnotatedPoem | str:
    """Return the annotated poem, or the reason why the two do not fit.

    Editors' marks are removed from the text if it fits without them.
    """
    if tones is None:
        return "unannotated"
    for text in (poem.text, EDITORS_MARKS.sub("", poem.text)):
        if len(text) == len(tones):
            return AnnotatedPoem(poem, text, tones) if all(map(_aligned, text, tones)) else "punctuation"
    return "length"


def _aligned(character: str, tone: str) -> bool:
    """Return whether both are punctuation or neither is.

    In an annotation ？ is an unknown tone. In a text it is punctuation, which may have been 。 when the poem
    was annotated.
    """
    if character == "？":
        return tone in PUNCTUATION or tone == "？"
    return (character in PUNCTUATION) == (tone in PUNCTUATION)
