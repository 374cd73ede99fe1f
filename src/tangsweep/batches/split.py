"""Split poems into training, development and test sets, and cut them into chunks."""

import random
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.near_duplicates import near_duplicates
from tangsweep.corpora.tang import Poem
from tangsweep.errors import UserError
from tangsweep.randomness import derive_seed

SENTENCE = re.compile(r"[^。！？]*[。！？]?")
TEST_SHARE = 10  # one in so many poems is for testing where all poems are read


class SplitPoem(NamedTuple):
    """A poem of a split. Joined, its sentences are the part of its text that is used."""

    poem: Poem
    position: int  # among the poems that were read, after they were shuffled
    sentences: list[str]

    @property
    def text(self) -> str:
        return "".join(self.sentences)


class PoemSplit(NamedTuple):
    """The poems of each set, without those that were dropped."""

    train: list[SplitPoem]
    dev: list[SplitPoem]
    test: list[SplitPoem]  # empty where there is no test set
    pool: list[SplitPoem]  # what the vocabulary is built from
    counts: dict[str, int]  # read, empty, duplicate, short; held-out poems that are near training poems


def check_split_options(data: PoemSplitOptions) -> None:
    """Raise UserError for options of a split that contradict each other."""
    if data.max_chars < data.min_chars:
        raise UserError(
            f"data.max_chars={data.max_chars} is below data.min_chars={data.min_chars}: raise the one or "
            "lower the other"
        )
    if data.split == "fixed" and (data.pool is None or data.dev_poems is None):
        raise UserError("data.split=fixed needs data.pool and data.dev_poems: set both")
    if data.split == "fixed" and data.poems is not None and data.pool and data.poems > data.pool:
        raise UserError(f"data.poems={data.poems} is more than data.pool={data.pool}: raise data.pool")


def split_poems(poems: Sequence[Poem], options: PoemSplitOptions, later: Sequence[Poem] = ()) -> PoemSplit:
    """Drop and count empty, duplicate and short poems, and split the others by `options.split`.

    A poem is a duplicate if the part of its text that is used equals an earlier poem's: the text without
    dropped punctuation, up to where `long=truncate` cuts it. So no development poem occurs in training.

    `fraction`: the first `train_fraction` (rounded down) are for training; or exactly `train_poems`, and the
    `dev_poems` after them are held out.
    `fixed`: the vocabulary is built from the first `pool` poems, and those before `poems` are for training.
    The `dev_poems` after the pool are held out, whatever `poems` is. All three numbers count poems as the
    files hold them, before any is dropped.

    The test set is drawn from the `later` poems, always in the same way. Where all poems are read it is drawn
    from those that the split leaves, or it is a tenth of all poems, which the split then does not see. No
    test poem is a duplicate.

    Raises UserError if a set would be empty, or if there are fewer poems than `train_poems` and `dev_poems`.
    """
    if options.takes_test_from_training:
        poems, later = _take_tenth(poems)
    usable, seen, counts = _drop_unusable_poems(_shuffle_poems(poems, options.split_seed), options)
    if options.split == "fixed":
        pool = [poem for poem in usable if poem.position < (options.pool or 0)]
        dev = usable[len(pool) :]
        train = [poem for poem in pool if options.poems is None or poem.position < options.poems]
    else:
        train, dev = _split_by_count(usable, options)
        pool = train
    for subset, name in ((train, "training"), (dev, "development")):
        if not subset:
            raise UserError(
                f"the split leaves no {name} poem ({counts['read']} read, {len(usable)} kept): "
                "raise data.poems or change data.train_fraction, data.train_poems, data.dev_poems"
            )
    unused = [] if later or options.poems_to_read else usable[len(train) + len(dev) :]
    test = _draw_test_poems(unused or _test_candidates(later, seen, options), options)
    return _count_near_duplicates(PoemSplit(train, dev, test, pool, counts), options)


def _count_near_duplicates(split: PoemSplit, options: PoemSplitOptions) -> PoemSplit:
    """Count the held-out poems that training nearly holds, and drop them with `duplicates=near`."""
    held_out = [poem.text for poem in (*split.dev, *split.test)]
    near = near_duplicates(held_out, [poem.text for poem in split.pool])  # the pool is hashed once for both
    in_dev = {number for number in near if number < len(split.dev)}
    in_test = {number - len(split.dev) for number in near - in_dev}
    split = split._replace(counts=split.counts | {"near_dev": len(in_dev), "near_test": len(in_test)})
    if options.duplicates != "near":
        return split
    return split._replace(dev=_without(split.dev, in_dev), test=_without(split.test, in_test))


def _take_tenth(poems: Sequence[Poem]) -> tuple[list[Poem], list[Poem]]:
    """Return the poems for training and development, and the tenth that is for testing."""
    positions = random.Random(derive_seed(0, "test poems")).sample(
        range(len(poems)), len(poems) // TEST_SHARE
    )
    chosen = set(positions)
    return (
        [poem for position, poem in enumerate(poems) if position not in chosen],
        [poems[position] for position in sorted(chosen)],
    )


def _test_candidates(
    later: Sequence[Poem], seen: Collection[str], options: PoemSplitOptions
) -> list[SplitPoem]:
    """Return the usable poems among the later ones, whose text is not among the poems before."""
    usable, _, _ = _drop_unusable_poems(later, options, seen)
    return usable


def _draw_test_poems(candidates: Sequence[SplitPoem], options: PoemSplitOptions) -> list[SplitPoem]:
    """Draw `test_poems` of the candidates, or take all where there are fewer or they are a tenth of all."""
    if options.takes_test_from_training or len(candidates) <= options.test_poems:
        return list(candidates) if options.test_poems else []
    chosen = random.Random(derive_seed(0, "test poems")).sample(range(len(candidates)), options.test_poems)
    return [candidates[number] for number in sorted(chosen)]


def _without(poems: Sequence[SplitPoem], numbers: Collection[int]) -> list[SplitPoem]:
    return [poem for number, poem in enumerate(poems) if number not in numbers]


def _shuffle_poems(poems: Sequence[Poem], split_seed: int | None) -> list[Poem]:
    """Return the poems in random order, or without a seed in their own."""
    shuffled = list(poems)
    if split_seed is not None:
        random.Random(derive_seed(split_seed, "split")).shuffle(shuffled)
    return shuffled


def _drop_unusable_poems(
    poems: Iterable[Poem], options: PoemSplitOptions, earlier: Collection[str] | None = None
) -> tuple[list[SplitPoem], set[str], dict[str, int]]:
    """Return the poems that are not empty, duplicate or short, all their texts, and counts of those dropped.

    Copies of `earlier` texts are always dropped.
    """
    counts = {"read": 0, "empty": 0, "duplicate": 0, "short": 0}
    drops_copies = options.duplicates != "keep" or earlier is not None
    seen = set(earlier or ())
    usable: list[SplitPoem] = []
    for position, poem in enumerate(poems):
        counts["read"] += 1
        sentences = _split_sentences(poem.text, options.punctuation)
        text = "".join(sentences)
        used_text = text[: options.max_chars] if options.long == "truncate" else text
        if not text:
            counts["empty"] += 1
        elif drops_copies and used_text in seen:
            counts["duplicate"] += 1
        elif len(text) < options.min_chars:
            counts["short"] += 1
        else:
            usable.append(SplitPoem(poem, position, sentences))
        seen.add(used_text)
    return usable, seen, counts


def _split_sentences(text: str, punctuation: str) -> list[str]:
    """Cut the text after each 。！？; with `drop`, remove punctuation and symbols afterwards."""
    sentences = [s for s in SENTENCE.findall(text) if s]
    if punctuation == "drop":
        sentences = ["".join(filter(_is_character, s)) for s in sentences]
    return [s for s in sentences if s]


def _is_character(character: str) -> bool:
    """Return whether it is no punctuation, symbol or separator."""
    return unicodedata.category(character)[0] not in "PSZ"


def _split_by_count(
    poems: list[SplitPoem], options: PoemSplitOptions
) -> tuple[list[SplitPoem], list[SplitPoem]]:
    train, dev = options.train_poems, options.dev_poems
    if train is None:
        train = len(poems) - dev if dev is not None else int(len(poems) * options.train_fraction)
    if dev is None:
        dev = len(poems) - train
    if train < 0 or dev < 0 or train + dev > len(poems):
        raise UserError(
            f"data.train_poems={options.train_poems} and data.dev_poems={options.dev_poems} need more than "
            f"the {len(poems)} poems kept: raise data.poems or lower them"
        )
    return poems[:train], poems[train : train + dev]


class Chunk(NamedTuple):
    """The text of one sequence: a poem or a part of one."""

    text: str
    ends_poem: bool  # whether the poem ends with it


def cut_into_chunks(sentences: Sequence[str], max_chars: int, long: str) -> list[Chunk]:
    """Cut a poem into chunks of at most `max_chars` characters.

    `long=chunk` fills each chunk with whole sentences and loses nothing; a sentence longer than `max_chars`
    is cut. `long=truncate` keeps the first `max_chars` characters.
    """
    text = "".join(sentences)
    if len(text) <= max_chars:
        return [Chunk(text, True)]
    if long == "truncate":
        return [Chunk(text[:max_chars], False)]
    texts: list[str] = []
    for sentence in sentences:
        for start in range(0, len(sentence), max_chars):
            part = sentence[start : start + max_chars]
            if texts and len(texts[-1]) + len(part) <= max_chars and start == 0:
                texts[-1] += part
            else:
                texts.append(part)
    return [Chunk(text, number == len(texts)) for number, text in enumerate(texts, start=1)]
