"""全唐诗, the complete Tang poems: 58 JSON files of about a thousand poems each, in file order."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tangsweep.errors import UserError

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
class Corpus:
    """The poems of a run and where they came from."""

    name: str  # tang or sample: what records, W&B and comparisons call it
    poems: tuple[Poem, ...]
    source: str  # a folder, for messages
    verified: bool  # every file equals the one in the committed checksum list
    fallback: str = ""  # why the bundled sample stands in; empty where it was asked for

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the poems' ids and texts, in order."""
        digest = hashlib.sha256()
        for poem in self.poems:
            digest.update(f"{poem.id}\x1f{poem.text}\x1e".encode())
        return digest.hexdigest()[:12]

    def first(self, count: int | None) -> "Corpus":
        """The same with its first `count` poems; None: all. Raises UserError where there are fewer."""
        found = len(self.poems)
        if count is None or count <= found:
            return replace(self, poems=self.poems[:count])
        if self.fallback:
            raise UserError(
                f"{count} poems were asked for, but the network was not reached ({self.fallback}) "
                f"and the bundled sample holds {found}: connect, name a copy in corpus.root or "
                f"TANGSWEEP_DATA, or ask for at most {found} with data.poems"
            )
        raise UserError(f"{count} poems were asked for, but {self.source} holds {found}: lower data.poems")


def parse(path: Path) -> list[Poem]:
    """The poems of one file.

    Raises UserError, naming the file, where it is missing, no JSON, or of another schema.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: name a folder that holds {FOLDER}/{FILE_NAMES[0]} and its sisters "
            "in corpus.root or TANGSWEEP_DATA, or name none to download them"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no complete JSON file ({error}): fetch it again") from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} holds no list of poems: fetch it again")
    return [_poem(entry, path, position) for position, entry in enumerate(entries)]


def _poem(entry: Any, path: Path, position: int) -> Poem:
    match entry:
        case {"paragraphs": [*lines], "id": str(id)} if all(isinstance(x, str) for x in lines):
            author, title = str(entry.get("author", "")), str(entry.get("title", ""))
            return Poem(id, author, title, tuple(lines))
    raise UserError(
        f"{path}, poem {position}: expected {{author, title, paragraphs: [line, …], id}}; "
        "this is another schema"
    )


def take(files: Iterator[Path], count: int | None) -> tuple[Poem, ...]:
    """The first `count` poems (all where None) of the files, which are opened only as needed."""
    poems: list[Poem] = []
    for path in files:
        poems += parse(path)
        if count is not None and len(poems) >= count:
            break
    return tuple(poems[:count])
