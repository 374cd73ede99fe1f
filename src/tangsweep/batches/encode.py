"""Encode poems and books as arrays of ids, with the facts that every record carries; cached by content."""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray

from tangsweep.baselines import baseline_perplexities, known_baselines
from tangsweep.batches.encoded_text import Documents, EncodedSequences, EncodedText
from tangsweep.batches.split import Chunk, PoemSplit, SplitPoem, cut_into_chunks, split_poems
from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.book import Book
from tangsweep.corpora.tang import PoemCorpus, fingerprint_poems
from tangsweep.corpora.vocabulary import BOS, EOS, OOV_TOKEN, Vocabulary, build_vocabulary
from tangsweep.errors import UserError
from tangsweep.files import data_folder, read_with_checksum, remove_interrupted_writes, write_with_checksum
from tangsweep.runs.record import CorpusFacts, Counts, OovFacts, PoetFacts

MAX_IN_MEMORY = 4  # encoded texts
FORMAT = 5  # increase it whenever the same options would give other arrays or facts
SETS = ("train", "dev", "test")

KeyPart = str | float | Mapping[str, str | float | None]
_in_memory: dict[Path, EncodedText] = {}  # by cache file, the oldest first


def encode_poems(corpus: PoemCorpus, options: PoemSplitOptions) -> EncodedText:
    """Split the poems, cut them into sequences and encode these. Raises UserError as `split_poems` does."""
    options_used = options.model_dump(include=set(PoemSplitOptions.model_fields) - {"test_after"})
    key: list[KeyPart] = [
        corpus.fingerprint,
        fingerprint_poems(corpus.later),
        options_used,
    ]
    return _load_or_encode(
        key, lambda: _encode_split(split_poems(corpus.poems, options, corpus.later), options)
    )


def _encode_split(split: PoemSplit, options: PoemSplitOptions) -> EncodedText:
    vocabulary = build_vocabulary([poem.text for poem in split.pool], options.min_freq)
    sets = {"train": split.train, "dev": split.dev} | ({"test": split.test} if split.test else {})
    chunks = {name: [_cut_poem(poem, options) for poem in poems] for name, poems in sets.items()}
    flat = {name: [chunk for poem in cut for chunk in poem] for name, cut in chunks.items()}
    encoded = _with_facts(
        vocabulary,
        {name: encode_chunks(of_set, vocabulary) for name, of_set in flat.items()},
        {name: [chunk.text for chunk in of_set] for name, of_set in flat.items()},
    )
    facts = encoded.facts
    facts.poems = split.counts | {name: len(poems) for name, poems in sets.items()}
    facts.sequences = Counts(**{name: len(of_set) for name, of_set in flat.items()})
    facts.poets = {name: _poet_facts(sets[name], split.train) for name in sets}
    documents = {name: _documents(poems, chunks[name]) for name, poems in sets.items() if name != "train"}
    return encoded._replace(documents=documents)


def _cut_poem(poem: SplitPoem, options: PoemSplitOptions) -> list[Chunk]:
    return cut_into_chunks(poem.sentences, options.max_chars, options.long)


def _documents(poems: Sequence[SplitPoem], chunks: Sequence[Sequence[Chunk]]) -> Documents:
    numbers = np.repeat(np.arange(len(poems), dtype=np.int32), [len(of_poem) for of_poem in chunks])
    return Documents([p.poem.id for p in poems], [p.poem.author for p in poems], numbers)


def _poet_facts(poems: Sequence[SplitPoem], training: Sequence[SplitPoem]) -> PoetFacts:
    """Count poets, and those whose poems are trained on as well, with their share of the characters."""
    trained = {poem.poem.author for poem in training}
    authors = {poem.poem.author for poem in poems}
    characters = sum(len(poem.text) for poem in poems)
    shared = sum(len(poem.text) for poem in poems if poem.poem.author in trained)
    return PoetFacts(count=len(authors), in_training=len(authors & trained), share=shared / characters)


def encode_chunks(chunks: Sequence[Chunk], vocabulary: Vocabulary) -> EncodedSequences:
    """Encode chunks of poems, each from <bos> to the end of the chunk, or to <eos> where its poem ends."""
    rows = [[BOS, *vocabulary.encode(chunk.text), *([EOS] if chunk.ends_poem else [])] for chunk in chunks]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return EncodedSequences(np.concatenate(rows).astype(np.int32), starts)


def encode_book(
    book: Book, seq_len: int, dev_fraction: float, min_freq: int, test_fraction: float = 0.0
) -> EncodedText:
    """Hold out the last characters of a book and encode all parts.

    The last `test_fraction` of them (rounded up) is the test set, the `dev_fraction` before that the
    development set. The vocabulary is that of the training part. Raises UserError if a part is too short:
    training needs a window of `seq_len` characters and its targets.
    """
    texts = _book_parts(book.text, dev_fraction, test_fraction)
    names = {"train": "training", "dev": "held-out", "test": "test"}
    for name, text in texts.items():
        minimum = seq_len + 1 if name == "train" else 2
        if len(text) < minimum:
            raise UserError(
                f"{book.source} is too short: its {names[name]} part has {len(text)} characters and needs "
                f"{minimum}; lower data.seq_len, or name a longer text"
            )
    return _load_or_encode(
        ["book", book.fingerprint, dev_fraction, test_fraction, min_freq],
        lambda: _encode_book_parts(texts, min_freq),
    )


def _book_parts(text: str, dev_fraction: float, test_fraction: float) -> dict[str, str]:
    test_start = len(text) - math.ceil(len(text) * test_fraction)
    dev_start = test_start - math.ceil(len(text) * dev_fraction)
    parts = {"train": text[: max(dev_start, 0)], "dev": text[max(dev_start, 0) : test_start]}
    return parts | ({"test": text[test_start:]} if test_fraction else {})


def _encode_book_parts(texts: Mapping[str, str], min_freq: int) -> EncodedText:
    vocabulary = build_vocabulary([texts["train"]], min_freq, special_tokens=[OOV_TOKEN])
    parts = {
        name: EncodedSequences(np.array(vocabulary.encode(text), dtype=np.int32), np.array([0, len(text)]))
        for name, text in texts.items()
    }
    return _with_facts(vocabulary, parts, {name: [text] for name, text in texts.items()})


def _with_facts(
    vocabulary: Vocabulary, sets: Mapping[str, EncodedSequences], texts: Mapping[str, Iterable[str]]
) -> EncodedText:
    train, dev, test = sets["train"], sets["dev"], sets.get("test")
    facts = CorpusFacts(
        characters=Counts(**{name: len(sequences.targets) for name, sequences in sets.items()}),
        vocabulary=len(vocabulary),
        oov={name: _count_oov(sequences, texts[name], vocabulary) for name, sequences in sets.items()},
        vocabulary_fingerprint=vocabulary.fingerprint,
        dev_fingerprint=_fingerprint_arrays(*dev),
        split_fingerprint=_fingerprint_arrays(*train, *dev),
    )
    if test is not None:
        facts.test_fingerprint = _fingerprint_arrays(*test)
    perplexities = baseline_perplexities(train, dev, len(vocabulary))
    for name in sets.keys() - {"train"}:
        perplexities |= known_baselines(name, train, sets[name], len(vocabulary), vocabulary.oov)
    return EncodedText(vocabulary, train, dev, test, facts, perplexities, {})


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


def _load_or_encode(key: Sequence[KeyPart], encode: Callable[[], EncodedText]) -> EncodedText:
    """Return the encoded text from the cache, or encode it and write it there.

    `key` holds plain values that say what is encoded and with which options. Processes that need the same
    text at once wait for each other. A cache file that was changed since it was written is replaced. The last
    few texts stay in memory: the runs of a sweep share their arrays, which nothing writes to.
    """
    described = json.dumps([FORMAT, *key], sort_keys=True)
    path = data_folder() / "cache" / f"{hashlib.sha256(described.encode()).hexdigest()[:16]}.encoded"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path not in _in_memory:
        with filelock.FileLock(path.with_suffix(".lock")):
            remove_interrupted_writes(path)
            content = read_with_checksum(path)
            if content is None:
                encoded = encode()
                write_with_checksum(path, _to_npz(encoded))
                path.with_suffix(".npz").unlink(missing_ok=True)  # written before there were checksums
            else:
                encoded = _from_npz(content)
        while len(_in_memory) >= MAX_IN_MEMORY:
            del _in_memory[next(iter(_in_memory))]
        _in_memory[path] = encoded
    return _in_memory[path]


def _to_npz(encoded: EncodedText) -> bytes:
    sets = {name: getattr(encoded, name) for name in SETS}
    arrays: dict[str, NDArray[np.integer]] = {}
    for name, sequences in sets.items():
        if sequences is not None:
            arrays |= {f"{name}_ids": sequences.ids, f"{name}_starts": sequences.starts}
    arrays |= {f"{name}_documents": d.of_sequence for name, d in encoded.documents.items()}
    content = {
        "tokens": encoded.vocabulary.tokens,
        "facts": encoded.facts.model_dump(exclude_unset=True),
        "baselines": encoded.baselines,
        "documents": {name: [d.names, d.authors] for name, d in encoded.documents.items()},
    }
    text = np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, text=text, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _from_npz(content: bytes) -> EncodedText:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        text = json.loads(stored["text"].tobytes())
        train, dev, test = (
            EncodedSequences(stored[f"{name}_ids"], stored[f"{name}_starts"])
            if f"{name}_ids" in stored
            else None
            for name in SETS
        )
        documents = {
            name: Documents(names, authors, stored[f"{name}_documents"])
            for name, (names, authors) in text["documents"].items()
        }
    assert train is not None and dev is not None
    facts = CorpusFacts.model_validate(text["facts"])
    return EncodedText(Vocabulary(text["tokens"]), train, dev, test, facts, text["baselines"], documents)
