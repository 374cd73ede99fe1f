"""全唐诗, the complete Tang poems: find its files, check them and read the poems."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tangsweep.corpora import download
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_SAMPLE, absolute_path, data_folder, read_regular_file

FOLDER = "quantangshi"
URL = (
    "https://raw.githubusercontent.com/chinese-poetry/chinese-poetry/"
    "99ebbef7e1345c0985c44b9fd96a3f9e776f117b/%E5%85%A8%E5%94%90%E8%AF%97"
)
FILE_NAMES = tuple(f"poet.tang.{first}.json" for first in range(0, 58_000, 1_000))


class Poem(NamedTuple):
    """One poem; `lines` are its couplets with punctuation, as the file holds them."""

    id: str
    author: str
    title: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.lines)


@dataclass(frozen=True)
class PoemCorpus:
    """The poems of a run and where they came from."""

    name: str  # tang or sample: its name in records, in W&B and in comparisons
    poems: tuple[Poem, ...]
    source: str  # the folder, for messages
    verified: bool  # every file equals the one in the committed checksum list
    fallback: str = ""  # why the bundled sample replaces `tang`; empty where the sample was requested
    later: tuple[Poem, ...] = ()  # poems behind them, of which a test set is drawn

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of a hash of the poems' ids and texts, in order; later poems do not count."""
        return fingerprint_poems(self.poems)

    def first(self, count: int | None, later: range = range(0)) -> "PoemCorpus":
        """Return the corpus of the first `count` poems (None: all). Raises UserError if there are fewer.

        Poems at the positions `later` are the later poems, as far as they were read.
        """
        available = len(self.poems)
        if count is None or count <= available:
            everything = self.poems + self.later
            return replace(
                self, poems=self.poems[:count], later=everything[later.start : later.stop] if later else ()
            )
        if self.fallback:
            raise UserError(
                f"{count} poems were requested, but the network was not reached ({self.fallback}) "
                f"and the bundled sample holds {available}: connect, name a copy in corpus.root or "
                f"TANGSWEEP_DATA, or set data.poems to at most {available}"
            )
        raise UserError(
            f"{count} poems were requested, but {self.source} holds {available}: lower data.poems"
        )


class PoemSource(NamedTuple):
    """The keys of conf/corpus/ that say where the poems come from."""

    name: str  # tang or sample
    root: str | None = None  # a folder; a relative path counts from TANGSWEEP_HOME
    url: str | None = None  # the address of the folder that holds the files; None: the published one
    verify: bool = True  # whether files in `root` must equal the published ones byte for byte


def fingerprint_poems(poems: Iterable[Poem]) -> str:
    """Return twelve hex digits of a hash of the poems' ids and texts, in order."""
    digest = hashlib.sha256()
    for poem in poems:
        digest.update(f"{poem.id}\x1f{poem.text}\x1e".encode())
    return digest.hexdigest()[:12]


def find_poems(source: PoemSource, count: int | None, later: range = range(0)) -> PoemCorpus:
    """Return the first `count` poems (None: all) of `source`, downloading them if necessary.

    Poems at the positions `later` are the corpus's later poems, as far as they can be had: a file that is
    missing or cannot be downloaded leaves them out.

    Poems of `tang` are read from the first of these that applies: `source.root`; the folder that the
    environment variable TANGSWEEP_DATA names; data/, where missing files are downloaded. If the network
    cannot be reached and neither a folder nor an address was named, the bundled sample replaces them.
    Raises UserError if a named folder lacks a file or holds one that differs from the published one, if the
    server refuses, or if there are fewer than `count` poems.
    """
    if source.name == "sample":
        if source.root:
            raise UserError("corpus=sample is the bundled sample: drop corpus.root, or take corpus=tang")
        return _bundled_sample().first(count, later)
    root = source.root or os.environ.get("TANGSWEEP_DATA")
    if root:
        corpus = _read_folder(absolute_path(root), count, later.stop, source.verify)
        return corpus.first(count, later)
    try:
        return _download_corpus(source.url or URL, count, later.stop).first(count, later)
    except download.NetworkUnreachable as error:
        if source.url:
            raise UserError(f"corpus.url cannot be reached ({error}): correct it, or drop it") from None
        return _bundled_sample(fallback=str(error)).first(count, later)


def _bundled_sample(fallback: str = "") -> PoemCorpus:
    path = BUNDLED_SAMPLE / FOLDER / FILE_NAMES[0]
    verified = download.is_published_file(f"sample/{FOLDER}/{path.name}", path)
    return PoemCorpus("sample", read_poems([path], None), str(path.parent), verified, fallback)


def _read_folder(folder: Path, count: int | None, last: int, verify: bool) -> PoemCorpus:
    differing: list[Path] = []

    def checked_paths() -> Iterator[Path]:
        for name in FILE_NAMES:
            path = folder / FOLDER / name
            if path.exists() and not download.is_published_file(f"{FOLDER}/{name}", path):
                differing.append(path)
                if verify:
                    raise UserError(
                        f"{path} does not have the published file's checksum: download it again, or accept "
                        "your own edition with corpus.verify=false"
                    )
            yield path

    return PoemCorpus("tang", read_poems(checked_paths(), count, last), str(folder), verified=not differing)


def _download_corpus(url: str, count: int | None, last: int) -> PoemCorpus:
    folder = data_folder()
    paths = (
        download.download_file(f"{FOLDER}/{name}", f"{url.rstrip('/')}/{name}", folder) for name in FILE_NAMES
    )
    return PoemCorpus("tang", read_poems(paths, count, last), str(folder), verified=True)


class MissingFile(UserError):
    """A file of poems is not there."""


def read_poems(paths: Iterable[Path], count: int | None, last: int = 0) -> tuple[Poem, ...]:
    """Return at least the first `count` poems (None: all) of the files; a file is read only if it is needed.

    Further files are read until there are `last` poems, unless one is missing or cannot be downloaded.
    """
    poems: list[Poem] = []
    remaining = iter(paths)
    while count is None or len(poems) < max(count, last):
        try:
            path = next(remaining, None)
            if path is None:
                break
            poems += parse_poem_file(path)
        except (MissingFile, download.NetworkUnreachable):
            if count is None or len(poems) < count:
                raise
            break
    return tuple(poems)


def parse_poem_file(path: Path) -> list[Poem]:
    """Return the poems of one file.

    Raises UserError with the file's name if it is missing or cannot be read, is not JSON, or has another
    schema.
    """
    try:
        entries = json.loads(read_regular_file(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(
            f"{path} is missing: name a folder that holds {FOLDER}/{FILE_NAMES[0]} and the other files "
            "in corpus.root or TANGSWEEP_DATA, or name none to download them"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name another folder") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not a complete JSON file ({error}): download it again") from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} does not hold a list of poems: download it again")
    return [_parse_poem(entry, path, position) for position, entry in enumerate(entries)]


def _parse_poem(entry: object, path: Path, position: int) -> Poem:
    match entry:
        case {"paragraphs": [*lines], "id": str(id), **others} if all(
            isinstance(line, str) for line in lines
        ):
            author, title = str(others.get("author", "")), str(others.get("title", ""))
            return Poem(id, author, title, tuple(lines))
    raise UserError(
        f"{path}, poem {position}: expected {{author, title, paragraphs: [line, …], id}}, but it has "
        "another schema: download the file again"
    )
