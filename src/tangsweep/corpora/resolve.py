"""Which copy of 全唐诗 a run reads: a named folder, the cache, a download, or the sample."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep.corpora import download, tang
from tangsweep.corpora.tang import Corpus
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_SAMPLE, absolute_path, data_folder


class Source(NamedTuple):
    """The keys of conf/corpus/ that say where the poems come from."""

    name: str  # tang or sample
    root: str | None = None  # a folder; relative: from places.home()
    url: str | None = None  # of the folder that holds the files; None: the published one
    verify: bool = True  # whether a named folder must hold the published files, byte for byte

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Source":
        return cls(*(settings[name] for name in cls._fields))


def resolve(source: Source, count: int | None) -> Corpus:
    """The first `count` poems (None: all) of `source`.

    Order for `tang`: the root, the environment's TANGSWEEP_DATA, files under data/ or downloaded to
    it, and only where the network cannot be reached and nothing was named the bundled sample.
    Raises UserError where a named folder lacks a file or holds another than the published one, where
    the server refuses, and where there are fewer poems than `count`.
    """
    if source.name == "sample":
        if source.root:
            raise UserError("corpus=sample is the bundled sample: drop corpus.root, or take corpus=tang")
        return _sample().first(count)
    named = source.root or os.environ.get("TANGSWEEP_DATA")
    if named:
        return _from_folder(absolute_path(named), count, source.verify).first(count)
    try:
        return _downloaded(source.url or tang.URL, count).first(count)
    except download.Unreachable as unreachable:
        if source.url:
            raise UserError(f"corpus.url cannot be reached ({unreachable}): mend it, or drop it") from None
        return _sample(fallback=str(unreachable)).first(count)


def _sample(fallback: str = "") -> Corpus:
    path = BUNDLED_SAMPLE / tang.FOLDER / tang.FILE_NAMES[0]
    return Corpus("sample", tang.take(iter([path]), None), str(path.parent), True, fallback)


def _from_folder(folder: Path, count: int | None, verify: bool) -> Corpus:
    differing: list[Path] = []

    def files() -> Iterator[Path]:
        for name in tang.FILE_NAMES:
            path = folder / tang.FOLDER / name
            if path.exists() and not download.matches(f"{tang.FOLDER}/{name}", path):
                differing.append(path)
                if verify:
                    raise UserError(
                        f"{path} has another checksum than the published file: fetch it again, or "
                        "accept your own edition with corpus.verify=false"
                    )
            yield path

    return Corpus("tang", tang.take(files(), count), str(folder), verified=not differing)


def _downloaded(url: str, count: int | None) -> Corpus:
    folder = data_folder()

    def files() -> Iterator[Path]:
        for name in tang.FILE_NAMES:
            yield download.fetch(f"{tang.FOLDER}/{name}", f"{url.rstrip('/')}/{name}", folder)

    return Corpus("tang", tang.take(files(), count), str(folder), verified=True)
