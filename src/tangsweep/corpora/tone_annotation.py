"""The tone annotation of 全唐诗 by its own editors, and the whole corpus that it belongs to."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
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
UNANNOTATED = re.compile(r"[\[\]{}（）《》「」/=]")  # editors' marks that came after the annotation
AT_ONCE = 8  # downloads
PUNCTUATION = frozenset("，。！；：、")


class Annotated(NamedTuple):
    """A poem and as many tones: one of TONES a character, punctuation kept."""

    poem: tang.Poem
    text: str
    tones: str


class Annotation(NamedTuple):
    """The poems whose annotation fits, and how many of the others there are, by reason."""

    poems: list[Annotated]
    skipped: dict[str, int]


Found = Callable[[int, int], None]  # told how many files were found, and of how many


def files(root: str | None, found: Found) -> Iterator[tuple[Path, Path]]:
    """(poems, annotation) of each of the corpus's files: from a named folder where it holds the published
    one, else from data/, else downloaded.

    `root` None: TANGSWEEP_DATA, where it is set. Raises Unreachable without a network, UserError where the
    server refuses.
    """
    named = root or os.environ.get("TANGSWEEP_DATA")

    def pair(name: str) -> tuple[Path, Path]:
        return _find(named, tang.FOLDER, tang.URL, name), _find(named, FOLDER, URL, name)

    yield pair(tang.FILE_NAMES[0])  # alone: without a network one attempt is enough
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for count, paths in enumerate(pool.map(pair, tang.FILE_NAMES[1:]), 2):
            found(count, len(tang.FILE_NAMES))
            yield paths
    finally:
        pool.shutdown(cancel_futures=True)


def _find(named: str | None, folder: str, url: str, name: str) -> Path:
    relative = f"{folder}/{name}"
    if named:
        path = absolute_path(named) / relative
        if path.is_file() and download.matches(relative, path):
            return path
    return download.fetch(relative, f"{url}/{name}", data_folder(), shown=False)


def join(found: Iterator[tuple[Path, Path]]) -> Annotation:
    """Poems and annotation by id: their positions in the files differ."""
    poems: list[tang.Poem] = []
    tones: dict[str, str] = {}
    for text, annotation in found:
        poems += tang.parse(text)
        entries = json.loads(annotation.read_text(encoding="utf-8"))
        tones |= {entry["id"]: "".join(entry["strains"]) for entry in entries}
    joined, skipped = [], Counter({"unannotated": 0, "length": 0, "punctuation": 0})
    for poem in poems:
        fitted = _fit(poem, tones.get(poem.id))
        if isinstance(fitted, Annotated):
            joined.append(fitted)
        else:
            skipped[fitted] += 1
    return Annotation(joined, dict(skipped))


def _fit(poem: tang.Poem, tones: str | None) -> Annotated | str:
    """The two together, or why they do not fit: editors' marks are left out where that makes them fit."""
    if tones is None:
        return "unannotated"
    for text in (poem.text, UNANNOTATED.sub("", poem.text)):
        if len(text) == len(tones):
            together = all(map(_aligned, text, tones))
            return Annotated(poem, text, tones) if together else "punctuation"
    return "length"


def _aligned(character: str, tone: str) -> bool:
    """Punctuation stands beside punctuation; where an editor later made 。 a ？, that is no unknown tone."""
    if character == "？":
        return tone in PUNCTUATION or tone == "？"
    return (character in PUNCTUATION) == (tone in PUNCTUATION)
