"""Poems for the benchmarks: the first of 全唐诗, or the bundled sample where it cannot be had."""

from tangsweep.batches.encode import encode_poems
from tangsweep.batches.encoded_text import EncodedText
from tangsweep.config.data_options import PoemSplitOptions
from tangsweep.corpora.tang import PoemSource, find_poems
from tangsweep.errors import UserError


def encoded(poems: int, duplicates: str, max_chars: int) -> tuple[str, EncodedText]:
    """The corpus's name, and its first `poems` poems, 8:2 in order, cut to `max_chars`."""
    try:
        found = find_poems(PoemSource("tang"), poems)
    except UserError:
        found = find_poems(PoemSource("sample"), None)
    settings = PoemSplitOptions(
        poems=None, duplicates=duplicates, min_chars=20, max_chars=max_chars, long="chunk",
        punctuation="keep", min_freq=1, split="fraction", train_fraction=0.8, train_poems=None,
        dev_poems=None, pool=None, split_seed=None,
    )  # fmt: skip
    return found.name, encode_poems(found, settings)
