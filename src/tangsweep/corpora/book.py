"""A book: any UTF-8 text, three of them known by name and downloaded on first use."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep.corpora import download
from tangsweep.errors import UserError
from tangsweep.files import absolute_path, data_folder, safe_name

FOLDER = "books"
_PRACTICAL = (
    "https://raw.githubusercontent.com/uvadlc/uvadlc_practicals_2018/"
    "aa002deeb30a144a87b39374678bcda9f32926f9/assignment_2/part3/assets"
)
_TRANSFORMER = (
    "https://raw.githubusercontent.com/javiermoralh/transformer_from_scratch/"
    "7587c33618cfc2783ee9a2c08d77cbd9c637b39a/data"
)


class Published(NamedTuple):
    """Where a book that is known by name lies."""

    file: str
    url: str


BOOKS = {
    "grimms": Published("grimms_fairy_tales.txt", f"{_PRACTICAL}/book_EN_grimms_fairy_tails.txt"),
    "democracy": Published("democracy_in_america.txt", f"{_PRACTICAL}/book_EN_democracy_in_the_US.txt"),
    "don_quijote": Published("don_quijote.txt", f"{_TRANSFORMER}/quijote.txt"),
}
# Project Gutenberg's text about itself stands before the first mark and behind the second.
BEGINS = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE | re.IGNORECASE)
ENDS = re.compile(
    r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg).*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Book:
    """The text of a run and where it came from."""

    name: str  # as the command line has it, or the file's name
    text: str
    source: str  # the file, for messages
    verified: bool  # the file equals the one in the committed checksum list
    stripped: int  # characters of Project Gutenberg's head and tail taken off
    fallback: str = ""  # nothing stands in for a book

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the text."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()[:12]


class Source(NamedTuple):
    """The keys of conf/corpus/book.yaml that say where the text comes from."""

    name: str
    path: str | None  # a file; goes before the name
    root: str | None
    verify: bool
    strip_license: bool

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Source":
        return cls(*(settings[name] for name in cls._fields))


def resolve(source: Source) -> Book:
    """The book: the file at `path`, else by name in `root`, TANGSWEEP_DATA, data/, or downloaded.

    Raises UserError where a file is missing, empty, not UTF-8, or a named folder holds another edition
    than the published one, where no book has the name, and where the network cannot be reached.
    """
    if source.path is not None:
        path = absolute_path(source.path)
        return _read(path, safe_name(path.stem) or "book", source.strip_license, verified=False)
    if source.name not in BOOKS:
        raise UserError(
            f"corpus.name={source.name} is no book; there are: {', '.join(BOOKS)}; or set corpus.path"
        )
    named = source.root or os.environ.get("TANGSWEEP_DATA")
    relative = f"{FOLDER}/{BOOKS[source.name].file}"
    path = absolute_path(named) / relative if named else _downloaded(source.name, relative)
    verified = path.exists() and download.matches(relative, path)
    if path.exists() and source.verify and not verified:
        raise UserError(
            f"{path} has another checksum than the published file: fetch it again, or "
            "accept your own edition with corpus.verify=false"
        )
    return _read(path, source.name, source.strip_license, verified)


def _downloaded(name: str, relative: str) -> Path:
    try:
        return download.fetch(relative, BOOKS[name].url, data_folder())
    except download.Unreachable as reason:
        raise UserError(
            f"the network was not reached ({reason}): connect, or name a copy in corpus.path, "
            f"corpus.root or TANGSWEEP_DATA ({relative})"
        ) from None


def _read(path: Path, name: str, strip_license: bool, verified: bool) -> Book:
    try:
        whole = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(
            f"{path} is missing, or no file: name a text in corpus.path, or in corpus.root a folder that "
            f"holds {FOLDER}/ (a relative path counts from TANGSWEEP_HOME, else from the repository)"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (at byte {error.start}): convert it, with iconv for example"
        ) from None
    text = _without_license(whole) if strip_license else whole
    if not text.strip():
        raise UserError(
            f"{path} holds no text{' but the licence' if whole.strip() else ''}: name another file"
        )
    return Book(name, text, str(path), verified, len(whole) - len(text))


def _without_license(text: str) -> str:
    """`text` without what Project Gutenberg puts around it; unchanged where its marks do not occur."""
    begins = BEGINS.search(text)
    if begins:
        text = text[begins.end() :].lstrip()
    ends = ENDS.search(text)
    return text[: ends.start()].rstrip() + "\n" if ends else text
