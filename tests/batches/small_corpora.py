"""Small corpora and the options of their split, for the tests of this folder."""

from collections.abc import Sequence

from tangsweep.config.data_options import PoemDataOptions, PoemSplitOptions
from tangsweep.corpora.tang import Poem, PoemCorpus

OPTIONS = PoemSplitOptions(
    poems=None,
    duplicates="drop",
    min_chars=1,
    max_chars=60,
    long="chunk",
    punctuation="keep",
    min_freq=1,
    split="fraction",
    train_fraction=0.8,
    train_poems=None,
    dev_poems=None,
    pool=None,
    split_seed=None,
    test_poems=0,
)


def options(**changes: object) -> PoemSplitOptions:
    return OPTIONS.model_copy(update=changes)


def data_options(**changes: object) -> PoemDataOptions:
    batching = {"batch_size": 2, "pad": "batch", "score_pads": False}
    return PoemDataOptions.model_validate({**OPTIONS.model_dump(), **batching, **changes})


def poem(number: int, text: str, author: str = "") -> Poem:
    return Poem(str(number), author, "", (text,) if text else ())


def corpus(*texts: str, later: Sequence[str] = ()) -> PoemCorpus:
    poems = [poem(number, text) for number, text in enumerate([*texts, *later])]
    return PoemCorpus("tang", tuple(poems[: len(texts)]), "", True, later=tuple(poems[len(texts) :]))
