"""Encode poems and books as arrays of ids, with the facts that every record carries; cached by content."""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import filelock
import numpy as np
from numpy.typing import NDArray

from tangsweep import baselines
from tangsweep.batches.split import Chunk, PoemSplit, cut_into_chunks, split_poems
from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.book import Book
from tangsweep.corpora.tang import PoemCorpus
from tangsweep.corpora.vocabulary import BOS, EOS, OOV_TOKEN, Vocabulary, build_vocabulary
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, data_folder
from tangsweep.runs.record import CorpusFacts, Counts, OovFacts

MAX_IN_MEMORY = 4  # encoded texts
FORMAT = 4  # increase it whenever the same options would give other arrays or facts


class EncodedSequences(NamedTuple):
    """Sequences of ids, one after another: the i-th is `ids[starts[i]:starts[i + 1]]`.

    A whole poem reads `<bos> … <eos>`. A chunk that is not its poem's last has no `<eos>`. A book is one
    sequence without special tokens. The inputs of a sequence are all its ids but the last, its targets all
    but the first.
    """

    ids: NDArray[np.int32]  # (total,)
    starts: NDArray[np.int64]  # (sequences + 1,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    @property
    def targets(self) -> NDArray[np.int32]:
        """All scored ids in order: all but the first of each sequence."""
        scored = np.ones(len(self.ids), dtype=bool)
        scored[self.starts[:-1]] = False
        return self.ids[scored]


class EncodedCorpus(Protocol):
    """The encoded training and development sets of a run, with facts and baselines for its record."""

    @property
    def tokens(self) -> Sequence[str]: ...  # what the model predicts, by id
    @property
    def inputs(self) -> int: ...  # how many ids the model reads, or how wide its vectors are
    @property
    def facts(self) -> CorpusFacts: ...  # for the record
    @property
    def baselines(self) -> dict[str, float | None]: ...  # perplexities that need no training


class EncodedText(NamedTuple):
    """The text that a run trains and is scored on."""

    vocabulary: Vocabulary
    train: EncodedSequences
    dev: EncodedSequences
    facts: CorpusFacts  # counts of characters, out-of-vocabulary characters, fingerprints
    baselines: dict[str, float | None]  # perplexities that need no training

    @property
    def tokens(self) -> tuple[str, ...]:
        """The characters and special tokens, in the order of their ids."""
        return self.vocabulary.tokens

    @property
    def inputs(self) -> int:
        """The number of different ids that the model can read: the size of the vocabulary."""
        return len(self.vocabulary)


def encode_poems(corpus: PoemCorpus, options: PoemSplitOptions) -> EncodedText:
    """Split the poems, cut them into sequences and encode these. Raises UserError as `split_poems` does."""
    options_used = options.model_dump(include=set(PoemSplitOptions.model_fields))
    return _load_or_encode(
        [corpus.fingerprint, options_used],
        lambda: _encode_split(split_poems(corpus.poems, options), options),
    )


def encode_unused_poems(
    corpus: PoemCorpus, options: PoemSplitOptions, vocabulary: Vocabulary
) -> EncodedSequences | None:
    """Return the sequences of poems that the split neither trains on nor holds out; None: there are none."""
    poems = split_poems(corpus.poems, options).unused
    return encode_chunks(_cut_poems(poems, options), vocabulary) if poems else None


def _encode_split(split: PoemSplit, options: PoemSplitOptions) -> EncodedText:
    vocabulary = build_vocabulary(["".join(poem) for poem in split.pool], options.min_freq)
    train_chunks, dev_chunks = (_cut_poems(poems, options) for poems in (split.train, split.dev))
    encoded = _with_facts(
        vocabulary,
        train=encode_chunks(train_chunks, vocabulary),
        dev=encode_chunks(dev_chunks, vocabulary),
        train_texts=[chunk.text for chunk in train_chunks],
        dev_texts=[chunk.text for chunk in dev_chunks],
    )
    encoded.facts.poems = split.counts | {"train": len(split.train), "dev": len(split.dev)}
    encoded.facts.sequences = Counts(train=len(train_chunks), dev=len(dev_chunks))
    return encoded


def _cut_poems(poems: Iterable[Sequence[str]], options: PoemSplitOptions) -> list[Chunk]:
    return [chunk for poem in poems for chunk in cut_into_chunks(poem, options.max_chars, options.long)]


def encode_chunks(chunks: Sequence[Chunk], vocabulary: Vocabulary) -> EncodedSequences:
    """Encode chunks of poems, each from <bos> to the end of the chunk, or to <eos> where its poem ends."""
    rows = [[BOS, *vocabulary.encode(chunk.text), *([EOS] if chunk.ends_poem else [])] for chunk in chunks]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return EncodedSequences(np.concatenate(rows).astype(np.int32), starts)


def encode_book(book: Book, seq_len: int, dev_fraction: float, min_freq: int) -> EncodedText:
    """Hold out the last `dev_fraction` of the characters (rounded up) and encode both parts.

    The vocabulary is that of the training part. Raises UserError if a part is too short: training needs a
    window of `seq_len` characters and its targets.
    """
    dev_length = math.ceil(len(book.text) * dev_fraction)
    train_text, dev_text = book.text[:-dev_length], book.text[-dev_length:]
    for text, name, minimum in ((train_text, "training", seq_len + 1), (dev_text, "held-out", 2)):
        if len(text) < minimum:
            raise UserError(
                f"{book.source} is too short: its {name} part has {len(text)} characters and needs "
                f"{minimum}; lower data.seq_len, or name a longer text"
            )
    return _load_or_encode(
        ["book", book.fingerprint, dev_fraction, min_freq],
        lambda: _encode_book_parts(train_text, dev_text, min_freq),
    )


def _encode_book_parts(train_text: str, dev_text: str, min_freq: int) -> EncodedText:
    vocabulary = build_vocabulary([train_text], min_freq, special_tokens=[OOV_TOKEN])
    train, dev = (
        EncodedSequences(np.array(vocabulary.encode(text), dtype=np.int32), np.array([0, len(text)]))
        for text in (train_text, dev_text)
    )
    return _with_facts(vocabulary, train, dev, [train_text], [dev_text])


def _with_facts(
    vocabulary: Vocabulary,
    train: EncodedSequences,
    dev: EncodedSequences,
    train_texts: Iterable[str],
    dev_texts: Iterable[str],
) -> EncodedText:
    facts = CorpusFacts(
        characters=Counts(train=len(train.targets), dev=len(dev.targets)),
        vocabulary=len(vocabulary),
        oov={
            "train": _count_oov(train, train_texts, vocabulary),
            "dev": _count_oov(dev, dev_texts, vocabulary),
        },
        vocabulary_fingerprint=vocabulary.fingerprint,
        dev_fingerprint=_fingerprint_arrays(*dev),
        split_fingerprint=_fingerprint_arrays(*train, *dev),
    )
    perplexities = baselines.baseline_perplexities(train, dev, len(vocabulary))
    return EncodedText(vocabulary, train, dev, facts, perplexities)


def _count_oov(sequences: EncodedSequences, texts: Iterable[str], vocabulary: Vocabulary) -> OovFacts:
    is_oov = sequences.targets == vocabulary.oov
    types = {character for text in texts for character in text}
    return OovFacts(
        positions=int(is_oov.sum()),
        rate=float(is_oov.mean()),
        unseen_types=sum(character not in vocabulary for character in types),
    )


def _fingerprint_arrays(*arrays: NDArray[np.integer]) -> str:
    """Return twelve hex digits of a hash of the arrays' values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


KeyPart = str | float | Mapping[str, str | float | None]
_in_memory: dict[Path, EncodedText] = {}  # by cache file, the oldest first


def _load_or_encode(key: Sequence[KeyPart], encode: Callable[[], EncodedText]) -> EncodedText:
    """Return the encoded text from the cache, or encode it and write it there.

    `key` holds plain values that say what is encoded and with which options. Processes that need the same
    text at once wait for each other; a damaged cache file is replaced. The last few texts stay in memory: the
    runs of a sweep share their arrays, which nothing writes to.
    """
    described = json.dumps([FORMAT, *key], sort_keys=True)
    path = data_folder() / "cache" / f"{hashlib.sha256(described.encode()).hexdigest()[:16]}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path not in _in_memory:
        with filelock.FileLock(path.with_suffix(".lock")):
            try:
                encoded = _from_npz(path.read_bytes())
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
                encoded = encode()
                atomic_write(path, _to_npz(encoded))
        while len(_in_memory) >= MAX_IN_MEMORY:
            del _in_memory[next(iter(_in_memory))]
        _in_memory[path] = encoded
    return _in_memory[path]


def _to_npz(encoded: EncodedText) -> bytes:
    buffer = io.BytesIO()
    facts = encoded.facts.model_dump(exclude_unset=True) | {"baselines": encoded.baselines}
    text = json.dumps({"tokens": encoded.vocabulary.tokens, "facts": facts})
    np.savez(
        buffer,
        text=np.frombuffer(text.encode(), dtype=np.uint8),
        train_ids=encoded.train.ids,
        train_starts=encoded.train.starts,
        dev_ids=encoded.dev.ids,
        dev_starts=encoded.dev.starts,
    )
    return buffer.getvalue()


def _from_npz(content: bytes) -> EncodedText:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        text = json.loads(stored["text"].tobytes())
        train = EncodedSequences(stored["train_ids"], stored["train_starts"])
        dev = EncodedSequences(stored["dev_ids"], stored["dev_starts"])
    facts = text["facts"]
    perplexities = facts.pop("baselines")
    return EncodedText(
        Vocabulary(text["tokens"]), train, dev, CorpusFacts.model_validate(facts), perplexities
    )
