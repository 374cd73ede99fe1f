"""Which poems train and which are held out, and the sequences that each is cut into."""

import random
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.tang import Poem
from tangsweep.errors import UserError
from tangsweep.randomness import derive_seed

SENTENCE = re.compile(r"[^。！？]*[。！？]?")


class Split(NamedTuple):
    """Texts after all that is dropped was dropped; `pool` is what the vocabulary is built from."""

    train: list[list[str]]  # a poem is a list of sentences; "".join of them is its text
    dev: list[list[str]]
    pool: list[list[str]]
    counts: dict[str, int]  # read, empty, duplicate, short


class _Kept(NamedTuple):
    position: int  # in the order of reading, after shuffling
    sentences: list[str]


def split(poems: Sequence[Poem], settings: PoemSplitOptions) -> Split:
    """Empty, duplicate and short poems dropped and counted, the rest split by `settings.split`.

    A duplicate is a poem of whose text the same is used as of an earlier one's: after punctuation is
    dropped, and cut where `long=truncate` cuts. So no development poem occurs in training.

    `fraction`: the first `train_fraction` (rounded down) train, or exactly `train_poems` and the
    `dev_poems` after them. `fixed`: of the first `pool` poems read those before `poems` train, all
    give the vocabulary, and the `dev_poems` read after the pool are held out, whatever `poems` is; all
    three count poems as the files hold them, before any is dropped.
    Raises UserError where a side would be empty, or there are fewer than `train_poems` and `dev_poems`.
    """
    kept, counts = _keep(_ordered(poems, settings.split_seed), settings)
    if settings.split == "fixed":
        pool = [k for k in kept if k.position < (settings.pool or 0)]
        dev = kept[len(pool) :]
        train = [k for k in pool if settings.poems is None or k.position < settings.poems]
    else:
        train, dev = _by_count(kept, settings)
        pool = train
    for side, name in ((train, "training"), (dev, "development")):
        if not side:
            raise UserError(
                f"the split leaves no {name} poem ({counts['read']} read, {len(kept)} kept): "
                "raise data.poems or change data.train_fraction, data.train_poems, data.dev_poems"
            )
    texts = [[k.sentences for k in side] for side in (train, dev, pool)]
    return Split(texts[0], texts[1], texts[2], counts)


def _ordered(poems: Sequence[Poem], split_seed: int | None) -> list[Poem]:
    ordered = list(poems)
    if split_seed is not None:
        random.Random(derive_seed(split_seed, "split")).shuffle(ordered)
    return ordered


def _keep(poems: Sequence[Poem], settings: PoemSplitOptions) -> tuple[list[_Kept], dict[str, int]]:
    counts = {"read": len(poems), "empty": 0, "duplicate": 0, "short": 0}
    seen: set[str] = set()
    kept: list[_Kept] = []
    for position, poem in enumerate(poems):
        sentences = _sentences(poem.text, settings.punctuation)
        text = "".join(sentences)
        used = text[: settings.max_chars] if settings.long == "truncate" else text
        if not text:
            counts["empty"] += 1
        elif settings.duplicates == "drop" and used in seen:
            counts["duplicate"] += 1
        elif len(text) < settings.min_chars:
            counts["short"] += 1
        else:
            kept.append(_Kept(position, sentences))
        seen.add(used)
    return kept, counts


def _sentences(text: str, punctuation: str) -> list[str]:
    """The text cut after each 。！？; with `drop`, punctuation and symbols taken out afterwards."""
    sentences = [s for s in SENTENCE.findall(text) if s]
    if punctuation == "drop":
        sentences = ["".join(filter(_is_character, s)) for s in sentences]
    return [s for s in sentences if s]


def _is_character(character: str) -> bool:
    return unicodedata.category(character)[0] not in "PSZ"


def _by_count(kept: list[_Kept], settings: PoemSplitOptions) -> tuple[list[_Kept], list[_Kept]]:
    train, dev = settings.train_poems, settings.dev_poems
    if train is None:
        train = len(kept) - dev if dev is not None else int(len(kept) * settings.train_fraction)
    if dev is None:
        dev = len(kept) - train
    if train < 0 or dev < 0 or train + dev > len(kept):
        raise UserError(
            f"data.train_poems={settings.train_poems} and data.dev_poems={settings.dev_poems} ask "
            f"for more than the {len(kept)} poems kept: raise data.poems or lower them"
        )
    return kept[:train], kept[train : train + dev]


class Piece(NamedTuple):
    """A sequence's text, and whether the poem ends with it."""

    text: str
    last: bool


def pieces(sentences: Sequence[str], max_chars: int, long: str) -> list[Piece]:
    """The poem in sequences of at most `max_chars` characters, none lost unless `long=truncate`.

    `chunk` fills each sequence with whole sentences (a sentence longer than `max_chars` is cut);
    `truncate` keeps the first `max_chars` characters.
    """
    text = "".join(sentences)
    if len(text) <= max_chars:
        return [Piece(text, True)]
    if long == "truncate":
        return [Piece(text[:max_chars], False)]
    chunks: list[str] = []
    for sentence in sentences:
        for start in range(0, len(sentence), max_chars):
            part = sentence[start : start + max_chars]
            if chunks and len(chunks[-1]) + len(part) <= max_chars and start == 0:
                chunks[-1] += part
            else:
                chunks.append(part)
    return [Piece(chunk, number == len(chunks)) for number, chunk in enumerate(chunks, start=1)]
