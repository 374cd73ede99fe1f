"""The groups `corpus` and `data`: what a run reads, and how it is split, cut and batched.

conf/corpus/ and conf/data/ hold the values; the size of the dataset is `data.poems`.

A task picks its two classes. A new task declares its own options in its own file.
"""

from typing import Literal

from tangsweep.config.options import Options, option
from tangsweep.config.value_types import (
    AtLeastTwo,
    Fraction,
    FractionOrZero,
    NaturalNumber,
    PositiveCount,
    PositiveNumber,
    Text,
    WholeNumber,
)


class PrimaryMetricOptions(Options):
    """The key `corpus.primary`: the development score that picks the best epoch and ranks runs."""

    metric: Literal["perplexity", "loss", "accuracy"] = option("the score's name")
    mode: Literal["min", "max"] = option("whether less or more is better")
    solved: PositiveNumber | None = option("the task is solved from this score on", default=None)
    hopeless: PositiveNumber | None = option(
        "worse than this half-way, `trainer.give_up` stops", default=None
    )


class CorpusOptions(Options):
    """Keys of the group `corpus` that every task has."""

    task: Text = option("the task, by its name in tasks/registry.py", value_before="poems")
    name: Text = option("the corpus's name in records and reports")
    primary: PrimaryMetricOptions = option("the score that ranks runs")


class PoemFileOptions(Options):
    """Where the files of poems lie."""

    root: Text | None = option(
        "a folder that holds quantangshi/poet.tang.0.json and its sisters", default=None, volatile=True
    )
    url: Text | None = option(
        "another address of the folder that holds the files", default=None, volatile=True
    )
    verify: bool = option("refuse files that differ from the published ones", default=True, volatile=True)


class PoemCorpusOptions(PoemFileOptions, CorpusOptions):
    """`corpus=tang` and `corpus=sample`: which poems, and where their files lie."""


class BookFileOptions(Options):
    """Where the file of a book lies, and what is taken off it."""

    path: Text | None = option("any UTF-8 text instead of a book known by name", volatile=True)
    root: Text | None = option("a folder that holds books/NAME.txt", volatile=True)
    verify: bool = option("refuse files that differ from the published ones", volatile=True)
    strip_license: bool = option("take off what Project Gutenberg puts around a text")


class BookCorpusOptions(BookFileOptions, CorpusOptions):
    """`corpus=book`: one of three books, or any UTF-8 text."""


class PalindromeOptions(Options):
    """Which palindromes are drawn."""

    length: AtLeastTwo = option("digits of a palindrome")
    curriculum: NaturalNumber = option(
        "steps over which the longest length rises from 5 to `length`; 0: always `length`"
    )


class PalindromeCorpusOptions(PalindromeOptions, CorpusOptions):
    """`corpus=palindromes`."""


class WaveOptions(Options):
    """Which sine waves are drawn, and what of them is an input."""

    sampling: Literal["regular", "oversampled", "random"] = option(
        "`regular`: every time unit; `oversampled`: ten times as often; `random`: at random times"
    )
    time_input: bool | None = option(
        "time stamps are an input; null: where the cell does not read them anyway"
    )


class FrequencyCorpusOptions(WaveOptions, CorpusOptions):
    """`corpus=frequency`."""


class DataOptions(Options):
    """Keys of the group `data` that every task has."""

    batch_size: PositiveCount = option("sequences a batch")


class PoemSplitOptions(Options):
    """The keys of `data=poems` that decide which poems are read, which are held out, and how they are cut."""

    poems: PositiveCount | None = option("the first so many poems, as the files hold them; null: all")
    duplicates: Literal["drop", "keep", "near"] = option(
        "poems whose text occurred before; `near`: dropped, and also held-out poems that share half of their "
        "7-grams with training"
    )
    min_chars: PositiveCount = option("shorter poems are dropped")
    max_chars: PositiveCount = option("longer poems are cut")
    long: Literal["chunk", "truncate"] = option(
        "`chunk`: cut at sentence ends, nothing lost; `truncate`: keep the first max_chars"
    )
    punctuation: Literal["keep", "drop"] = option("punctuation marks")
    min_freq: PositiveCount = option("rarer characters become <oov>")
    split: Literal["fraction", "fixed"] = option(
        "`fraction`: by share or count; `fixed`: one development set and vocabulary whatever `poems` is"
    )
    train_fraction: Fraction = option("the first such share trains")
    train_poems: PositiveCount | None = option("train on so many instead")
    dev_poems: PositiveCount | None = option("hold out so many, right after them")
    pool: PositiveCount | None = option(
        "fixed split: the first so many give the vocabulary, the next dev_poems are held out"
    )
    split_seed: WholeNumber | None = option("shuffle before the split; null: in order")
    test_poems: NaturalNumber = option(
        "so many of the poems behind those are the test set; with `poems: null` a tenth of all; 0: none",
        default=500,
        volatile=True,
    )
    test_after: NaturalNumber | None = option(
        "test poems lie behind the first so many; set by the sweeper, so that all sizes share them",
        default=None,
        volatile=True,
    )

    @property
    def poems_to_read(self) -> int | None:
        """How many poems the files must yield for training and development; None: all."""
        if self.split != "fixed":
            return self.poems
        return (self.pool or 0) + (self.dev_poems or 0)

    @property
    def later_poems(self) -> range:
        """The positions of the poems of which the test set is drawn; empty where there are none behind.

        They end with a thousand, as the files do, and are at least half as many again as are drawn: some of
        them are dropped.
        """
        if self.poems_to_read is None or not self.test_poems:
            return range(0)
        first = max(self.poems_to_read, self.test_after or 0)
        return range(first, -(-(first + self.test_poems * 3 // 2) // 1000) * 1000)

    @property
    def takes_test_from_training(self) -> bool:
        """Whether the test set is a tenth of all poems, which are then neither trained on nor held out.

        That changes what a run trains on; with `test_poems: 0` it does not happen.
        """
        counted = self.train_poems is not None and self.dev_poems is not None
        return bool(self.test_poems) and self.poems_to_read is None and not counted


Oov = Literal["never", "singletons"]
OOV_DESCRIPTION = (
    "what trains <oov>: `never`: nothing, unless min_freq makes some; `singletons`: in each epoch, half of "
    "the characters that occur once in training are read as <oov>"
)


class PoemDataOptions(DataOptions, PoemSplitOptions):
    """`data=poems`: the split, and how its sequences are batched."""

    oov: Oov = option(OOV_DESCRIPTION, default="never", value_before="never")

    pad: Literal["batch", "fixed"] = option("pad to the longest of the batch, or to max_chars")
    score_pads: bool = option("count padding as text, for comparison with published figures only")


class BookDataOptions(DataOptions):
    """`data=windows`: windows of one long text."""

    seq_len: PositiveCount = option("characters a window")
    windows: Literal["random", "contiguous"] = option(
        "`random`: each window from zero state; `contiguous`: the state is carried from window to window"
    )
    dev_fraction: Fraction = option("the last such share of the text is held out")
    test_fraction: FractionOrZero = option(
        "such a share behind that one is the test set; 0: none", default=0.0, value_before=0.0
    )
    min_freq: PositiveCount = option("rarer characters become <oov>")
    oov: Oov = option(OOV_DESCRIPTION, default="never", value_before="never")


class StreamDataOptions(DataOptions):
    """`data=stream`: examples drawn by a rule, without end."""

    dev_size: PositiveCount = option("examples of the fixed evaluation set")
