"""Which tone a character has and what it rhymes with: learned from the corpus, or modern Mandarin."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from tangsweep.corpora import download, tang, tone_annotation
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, data_folder
from tangsweep.progress_bar import counting_bar
from tangsweep.prosody import conformity, pinyin, rhymes, tones
from tangsweep.prosody.pattern import EITHER
from tangsweep.prosody.prosody import Prosody

FORMAT = 1  # raise it whenever the same files would give other tables
HELD_OUT = 10  # every so many poems, of those by id, judge tables learned from the others


@dataclass(frozen=True)
class Learned:
    """Tables from the corpus's own annotation and line ends."""

    tones: Mapping[str, str]
    rhymes: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str = "learned"
    why: str = ""

    def tone(self, character: str) -> str | None:
        return self.tones.get(character)

    def rhyme(self, character: str) -> str | None:
        return self.rhymes.get(character)


@dataclass(frozen=True)
class Modern:
    """Mandarin as it is read today, where the annotation cannot be had; `why` says why not."""

    why: str = ""
    source: str = "modern"

    def tone(self, character: str) -> str | None:
        return pinyin.tone(character)

    def rhyme(self, character: str) -> str | None:
        return pinyin.rhyme(character)


def learned(root: str | None = None) -> Learned:
    """The learned tables: from the cache, or made from the whole corpus and its annotation.

    `root`: a folder that may hold them, else TANGSWEEP_DATA, data/, or the published addresses (45 MB,
    once). Raises Unreachable without a network, UserError where a server refuses.
    """
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        found = _cached()
        if found is None:
            atomic_write(path, json.dumps(_made(root), ensure_ascii=False))
            found = _cached()
    assert found is not None
    return found


def best(root: str | None = None) -> Prosody:
    """Learned where it can be had, else modern."""
    try:
        return learned(root)
    except (download.Unreachable, UserError, OSError) as reason:
        return Modern(str(reason))


def at_hand() -> Prosody:
    """Learned where it was made before, else modern; nothing is downloaded."""
    return _cached() or Modern("the tables were not made")


def _cached() -> Learned | None:
    try:
        return Learned(**json.loads(_path().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _path() -> Path:
    return data_folder() / "cache" / f"prosody-{_key()}.json"


def _key() -> str:
    """Of the published files and the way in which tables are made."""
    names = [
        f"{folder}/{name}" for folder in (tang.FOLDER, tone_annotation.FOLDER) for name in tang.FILE_NAMES
    ]
    ways = [FORMAT, HELD_OUT, tones.CLEAR, rhymes.RESOLUTION, rhymes.STRANGERS]
    described = json.dumps([*ways, *(download.checksums()[name] for name in names)])
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _made(root: str | None) -> dict[str, Any]:
    with counting_bar("tones and rhymes of 全唐诗") as tell:
        found = tone_annotation.join(tone_annotation.files(root, tell))
    return tables(found)


def tables(found: tone_annotation.Annotation) -> dict[str, Any]:
    """The tables of the whole, and how tables of nine tenths do on the last."""
    ordered = sorted(found.poems, key=lambda annotated: annotated.poem.id)
    kept = [poem for place, poem in enumerate(ordered) if place % HELD_OUT]
    held_out = ordered[::HELD_OUT]
    whole = Learned(tones.learn(ordered), rhymes.learn(_ends(ordered)))
    some = Learned(tones.learn(kept), rhymes.learn(_ends(kept)))
    judged = _ends(held_out)
    return {
        "tones": whole.tones,
        "rhymes": whole.rhymes,
        "facts": {
            "poems": len(ordered),
            "skipped": found.skipped,
            "characters": len(whole.tones),
            "either": sum(tone == EITHER for tone in whole.tones.values()),
            "groups": len(set(whole.rhymes.values())),
            "rhyming": len(whole.rhymes),
            "held_out": {
                "tones": tones.agreement(some.tones, held_out),
                "learned": rhymes.errors(some.rhyme, judged),
                "modern": rhymes.errors(pinyin.rhyme, judged),
                "finals": rhymes.errors(pinyin.final, judged),
                "conformity": _conformity(held_out, some),
            },
        },
    }


def _conformity(poems: list[tone_annotation.Annotated], prosody: Prosody) -> dict[str, float | None]:
    """How far real poems of regular forms keep the rules that composed ones are held against."""
    regular = (rhymes.lines(poem.poem) for poem in poems if rhymes.line_ends(poem.poem))
    return conformity.shares(regular, prosody)


def _ends(poems: list[tone_annotation.Annotated]) -> list[list[str]]:
    return [ends for annotated in poems if (ends := rhymes.line_ends(annotated.poem)) is not None]
