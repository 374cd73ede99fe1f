"""Books: any UTF-8 text, or one of three that are known by name and downloaded on first use."""

import hashlib
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tangsweep.corpora import download
from tangsweep.errors import UserError
from tangsweep.files import absolute_path, data_folder, read_regular_file, safe_name

FOLDER = "books"
PROMPTS, PROMPT_LENGTH = 5, 40  # lines of a text that its model continues; characters of each
_PRACTICAL_URL = (
    "https://raw.githubusercontent.com/uvadlc/uvadlc_practicals_2018/"
    "aa002deeb30a144a87b39374678bcda9f32926f9/assignment_2/part3/assets"
)
_TRANSFORMER_URL = (
    "https://raw.githubusercontent.com/javiermoralh/transformer_from_scratch/"
    "7587c33618cfc2783ee9a2c08d77cbd9c637b39a/data"
)


class PublishedBook(NamedTuple):
    """A book that is known by name: its file's name here, and its address."""

    file: str
    url: str


PUBLISHED_BOOKS = {
    "grimms": PublishedBook("grimms_fairy_tales.txt", f"{_PRACTICAL_URL}/book_EN_grimms_fairy_tails.txt"),
    "democracy": PublishedBook(
        "democracy_in_america.txt", f"{_PRACTICAL_URL}/book_EN_democracy_in_the_US.txt"
    ),
    "don_quijote": PublishedBook("don_quijote.txt", f"{_TRANSFORMER_URL}/quijote.txt"),
}
# Project Gutenberg's own text stands before the first mark and after the second.
GUTENBERG_START = re.compile(
    r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE | re.IGNORECASE
)
GUTENBERG_END = re.compile(
    r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg).*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Book:
    """The text of a run and where it came from."""

    name: str  # a key of PUBLISHED_BOOKS, or the file's name
    text: str
    source: str  # the file, for messages
    verified: bool  # the file equals the one in the committed checksum list
    stripped: int  # characters of Project Gutenberg's head and tail that were removed
    fallback: str = ""  # always empty: nothing replaces a book

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of a hash of the text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()[:12]


class BookSource(NamedTuple):
    """The keys of conf/corpus/book.yaml that say where the text comes from."""

    name: str
    path: str | None  # a file; takes precedence over the name
    root: str | None
    verify: bool
    strip_license: bool


def opening_lines(text: str) -> list[str]:
    """Return the beginnings of a few lines of a text, at equal distances: what a model of it can continue."""
    lines = [line[:PROMPT_LENGTH] for line in map(str.strip, text.splitlines()) if line]
    distinct = list(dict.fromkeys(lines))
    count = min(PROMPTS, len(distinct))
    return [distinct[number * len(distinct) // count] for number in range(count)]


def find_book(source: BookSource) -> Book:
    """Return the book, downloading it if necessary.

    It is the file at `source.path`. Without a path, it is looked up by name in `source.root`, in the folder
    that TANGSWEEP_DATA names, or in data/, where it is downloaded.
    Raises UserError if no book has the name, if the file is missing, empty, not UTF-8, no regular file or
    larger than files.MOST_BYTES, if a named folder holds an edition that differs from the published one, or
    if the network cannot be reached.
    """
    if source.path is not None:
        path = absolute_path(source.path)
        return _read_book(path, safe_name(path.stem) or "book", source.strip_license, verified=False)
    if source.name not in PUBLISHED_BOOKS:
        raise UserError(
            f"corpus.name={source.name} is not a known book: choose one of {', '.join(PUBLISHED_BOOKS)}, "
            "or set corpus.path"
        )
    root = source.root or os.environ.get("TANGSWEEP_DATA")
    relative = f"{FOLDER}/{PUBLISHED_BOOKS[source.name].file}"
    path = absolute_path(root) / relative if root else _download_book(source.name, relative)
    verified = path.exists() and download.is_published_file(relative, path)
    if path.exists() and source.verify and not verified:
        raise UserError(
            f"{path} does not have the published file's checksum: download it again, or accept your own "
            "edition with corpus.verify=false"
        )
    return _read_book(path, source.name, source.strip_license, verified)


def _download_book(name: str, relative: str) -> Path:
    try:
        return download.download_file(relative, PUBLISHED_BOOKS[name].url, data_folder())
    except download.NetworkUnreachable as error:
        raise UserError(
            f"the network was not reached ({error}): connect, or name a copy in corpus.path, "
            f"corpus.root or TANGSWEEP_DATA ({relative})"
        ) from None


def _read_book(path: Path, name: str, strip_license: bool, verified: bool) -> Book:
    try:
        # Line breaks of every system become one character, as where a file is opened as text.
        content = io.TextIOWrapper(io.BytesIO(read_regular_file(path)), encoding="utf-8-sig").read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UserError(
            f"{path} is missing or not a file: name a text in corpus.path, or in corpus.root a folder that "
            f"holds {FOLDER}/ (a relative path counts from TANGSWEEP_HOME, else from the repository)"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (at byte {error.start}): convert it, with iconv for example"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}): name another text in corpus.path"
        ) from None
    text = _strip_license(content) if strip_license else content
    if not text.strip():
        raise UserError(
            f"{path} holds no text{' but the licence' if content.strip() else ''}: name another file"
        )
    return Book(name, text, str(path), verified, len(content) - len(text))


def _strip_license(text: str) -> str:
    """Return `text` without Project Gutenberg's head and tail; without their marks, it stays as it is."""
    start = GUTENBERG_START.search(text)
    if start:
        text = text[start.end() :].lstrip()
    end = GUTENBERG_END.search(text)
    return text[: end.start()].rstrip() + "\n" if end else text
