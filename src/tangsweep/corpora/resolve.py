"""Which copy of 全唐诗 a run reads: a named folder, the cache, a download, or the bundled sample."""

import os
from collections.abc import Iterator
from pathlib import Path

from tangsweep import places
from tangsweep.corpora import fetch, tang
from tangsweep.corpora.tang import Corpus
from tangsweep.errors import UserError


def resolve(name: str, root: str | None, url: str, count: int | None) -> Corpus:
    """The first `count` poems (None: all) of the corpus called `name` (`tang` or `sample`).

    Order for `tang`: `root`, the environment's TANGSWEEP_DATA, files under data/ or downloaded to it
    (each checked), and only where the network cannot be reached the bundled sample.
    Raises UserError where a named folder lacks a file or there are fewer poems than `count`.
    """
    if name == "sample":
        return _enough(_sample(count), count)
    named = root or os.environ.get("TANGSWEEP_DATA")
    if named:
        return _enough(_from_folder(places.anchored(named), count), count)
    try:
        return _enough(_downloaded(url, count), count)
    except fetch.Unreachable as unreachable:
        return _enough(_sample(count, fallback=str(unreachable)), count)


def _sample(count: int | None, fallback: str = "") -> Corpus:
    path = places.BUNDLED_SAMPLE / tang.FOLDER / tang.FILE_NAMES[0]
    return Corpus("sample", tang.take(iter([path]), count), str(path.parent), True, fallback)


def _from_folder(folder: Path, count: int | None) -> Corpus:
    opened: list[str] = []

    def files() -> Iterator[Path]:
        for name in tang.FILE_NAMES:
            opened.append(f"{tang.FOLDER}/{name}")
            yield folder / opened[-1]

    poems = tang.take(files(), count)
    verified = all(fetch.matches(name, folder / name) for name in opened)
    return Corpus("tang", poems, str(folder), verified)


def _downloaded(url: str, count: int | None) -> Corpus:
    folder = places.data()

    def files() -> Iterator[Path]:
        for name in tang.FILE_NAMES:
            yield fetch.fetch(f"{tang.FOLDER}/{name}", f"{url.rstrip('/')}/{name}", folder)

    return Corpus("tang", tang.take(files(), count), str(folder), True)


def _enough(corpus: Corpus, count: int | None) -> Corpus:
    found = len(corpus.poems)
    if count is None or found >= count:
        return corpus
    if corpus.fallback:
        raise UserError(
            f"{count} poems were asked for, but the network was not reached ({corpus.fallback}) "
            f"and the bundled sample holds {found}: connect, name a copy in corpus.root or "
            f"TANGSWEEP_DATA, or ask for at most {found} with data.poems"
        )
    raise UserError(f"{count} poems were asked for, but {corpus.source} holds {found}: lower data.poems")
