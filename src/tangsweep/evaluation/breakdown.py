"""Where the nats of a text go: by place in the line, line, rhyme slot, frequency of the character."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tangsweep.batches.encoded_text import EncodedCorpus, EncodedText
from tangsweep.corpora.vocabulary import OOV_TOKEN, SPECIAL_TOKENS
from tangsweep.prosody.form import LINE_END
from tangsweep.runs.record import NatsOfKind

MOST_PLACES, MOST_LINES = 8, 9  # later ones are one kind
BANDS = (1, 2, 5, 10, 50, 200)  # occurrences in training: 1, 2 to 4, …, 200 and more
PUNCTUATION, OTHER = "punctuation", "other characters"

Ids = NDArray[np.integer]
Kinds = Mapping[str, Sequence[str]]  # what is divided → the kind of each target


def break_down(nats: NDArray[np.float64], kinds: Kinds) -> dict[str, dict[str, NatsOfKind]]:
    """Return, for each way to divide a text, the nats and characters of each kind, in the order of names.

    `nats` (N,) are those of the scored characters, `kinds` holds N words for each way.
    """
    divided: dict[str, dict[str, NatsOfKind]] = {}
    for way, words in kinds.items():
        names, number = np.unique(np.asarray(words), return_inverse=True)
        sums, counts = np.bincount(number, nats), np.bincount(number)
        divided[way] = {
            str(name): NatsOfKind(nats=float(total), characters=int(count))
            for name, total, count in zip(names, sums, counts, strict=True)
        }
    return divided


def kinds_of_targets(encoded: EncodedCorpus, name: str) -> Kinds:
    """Return the kinds of the targets of a set; empty where the corpus is no text.

    Lines are known of poems with punctuation. A character that closes an even line is a rhyme.
    """
    if not isinstance(encoded, EncodedText):
        return {}
    sequences = getattr(encoded, name)
    targets = sequences.targets
    kinds: dict[str, Sequence[str]] = {"frequency in training": _frequency_bands(encoded, targets)}
    if name not in encoded.documents:
        return kinds
    documents = np.repeat(encoded.documents[name].of_sequence, sequences.lengths - 1)
    characters = [encoded.tokens[id] for id in targets]
    if any(LINE_END.match(character) for character in characters):
        starts = np.flatnonzero(np.diff(documents, prepend=-1))
        poems = [characters[a:b] for a, b in zip(starts, [*starts[1:], len(targets)], strict=True)]
        for way, words in (
            ("place in the line", _places),
            ("line of the poem", _lines),
            ("slot", _slots),
        ):
            kinds[way] = [kind for poem in poems for kind in words(poem)]
    return kinds


def _frequency_bands(encoded: EncodedText, targets: Ids) -> list[str]:
    counts = np.bincount(encoded.train.targets, minlength=len(encoded.vocabulary))
    names = [f"{a}" if b == a + 1 else f"{a} to {b - 1}" for a, b in pairwise(BANDS)]
    names = ["never", *names, f"{BANDS[-1]} and more"]
    ordered = [f"{place}. {name}" for place, name in enumerate(names)]
    return [ordered[band] for band in np.searchsorted(BANDS, counts[targets], side="right")]


def _is_text(character: str) -> bool:
    return character == OOV_TOKEN or (character not in SPECIAL_TOKENS and not LINE_END.match(character))


def _places(poem: Sequence[str]) -> list[str]:
    """Return the place of each character in its line, from 1."""
    kinds, place = [], 0
    for character in poem:
        place = place + 1 if _is_text(character) else 0
        kinds.append(_number(place, MOST_PLACES) if place else PUNCTUATION)
    return kinds


def _lines(poem: Sequence[str]) -> list[str]:
    """Return the line of each character, from 1; its punctuation belongs to it."""
    kinds, line = [], 1
    for character in poem:
        kinds.append(_number(line, MOST_LINES))
        line += bool(LINE_END.match(character))
    return kinds


def _number(number: int, most: int) -> str:
    return str(number) if number < most else f"{most} and more"


def _slots(poem: Sequence[str]) -> list[str]:
    """Return whether each character rhymes, closes an odd line, or neither."""
    kinds, line = [OTHER] * len(poem), 1
    for place, character in enumerate(poem):
        if LINE_END.match(character):
            kinds[place] = PUNCTUATION
            if place and _is_text(poem[place - 1]):
                kinds[place - 1] = "line end, odd line" if line % 2 else "rhyme (line end, even line)"
            line += 1
        elif not _is_text(character):
            kinds[place] = PUNCTUATION
    return kinds
