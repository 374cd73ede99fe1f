"""The config groups that every task shares: one class a group; conf/ holds their defaults."""

from typing import Annotated, Literal

from pydantic import ConfigDict

from tangsweep.config.options import Options, option
from tangsweep.config.value_types import (
    MAX_LINE,
    AlwaysTrue,
    ChineseText,
    DropoutRate,
    FolderName,
    LineCount,
    NonNegativeNumber,
    Number,
    PositiveCount,
    PositiveNumber,
    Seed,
    Text,
    TextLength,
    ThreadCount,
    Words,
)

Precision = Literal["32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"]


class ModelOptions(Options):
    """The group `model`: sizes and layers of the language model."""

    input: Literal["embedding", "one_hot", "reals"] = option(
        "the input layer: `embedding` and `one_hot` read ids, `reals` reads vectors as they are",
        value_before="embedding",
    )
    embed_size: PositiveCount = option("width of the embeddings")
    hidden_size: PositiveCount = option("hidden units of each layer")
    layers: PositiveCount = option("recurrent layers")
    dropout: DropoutRate = option("dropout on embeddings, between layers and before the output layer")
    sequence_dropout: bool = option(
        "draw one mask a sequence for `dropout` (variational dropout), not one a time step",
        default=False,
        value_before=False,
    )
    embedding_dropout: DropoutRate = option(
        "share of ids whose embeddings are zero in a batch", default=0.0, value_before=0.0
    )
    recurrent_dropout: DropoutRate = option(
        "share of the recurrent weights that are zero in a batch (weight-drop)", default=0.0, value_before=0.0
    )
    output_size: PositiveCount | None = option(
        "width of a projection before the output layer; null: no projection", default=None, value_before=None
    )
    tie_weights: bool = option(
        "the output layer shares the embeddings, as wide as what it reads: `output_size` or `hidden_size`",
        value_before=False,
    )
    pretrained_embeddings: Text | None = option("a word-vector text file to start from")


class InitSchemeOptions(Options):
    """The key `init.scheme`: a function of `tangsweep.inits`, as Hydra instantiates it."""

    target: Text = option("the function", alias="_target_")
    partial: AlwaysTrue = option("always true: it is called later", alias="_partial_")


class InitOptions(Options):
    """The group `init`: how weights start."""

    scheme: InitSchemeOptions = option("the initialization scheme")
    forget_bias: Number = option("added to the forget gate's bias")


class TrainerOptions(Options):
    """The group `trainer`: where, how long and in which precision a run trains."""

    accelerator: Literal["cpu", "gpu"] = option("where to train")
    precision: Precision = option("Lightning's precision")
    max_epochs: PositiveCount | None = option("epochs; null: `max_steps` decides")
    max_steps: PositiveCount | None = option("optimizer steps; whichever of the two ends first")
    val_every: PositiveCount | None = option(
        "steps an epoch, at whose end is evaluated; null for poems, where an epoch is one pass",
        value_before=None,
    )
    loss: Literal["mean", "sum"] = option(
        "whose gradients train: `mean` over all scored characters of a batch, or `sum` over those of a "
        "sequence, mean over the sequences of a batch; train/loss is the mean always",
        default="mean",
        value_before="mean",
    )
    gradient_clip_val: PositiveNumber | None = option("clip the 2-norm of all gradients together")
    patience: PositiveCount | None = option("stop after so many epochs without a better score")
    ema_decay: DropoutRate | None = option(
        "score and keep an exponential moving average of the weights, decaying by this a step; null: none",
        default=None,
        value_before=None,
    )
    average_after: PositiveCount | None = option(
        "score and keep the mean of all weights since the development score got no better for so many epochs "
        "(NT-ASGD); null: none",
        default=None,
        value_before=None,
    )
    give_up: bool = option(
        "stop half-way where the score is worse than `corpus.primary.hopeless`", value_before=False
    )
    threads: ThreadCount = option("CPU threads of a run; equal numbers give equal bits", volatile=True)
    log_every: PositiveCount = option("steps between two rows of metrics.csv", volatile=True)


class LoggerOptions(Options):
    """The group `logger`: what mirrors the files of a run."""

    model_config = ConfigDict(extra="allow")

    target: Text | None = option("the mirror's class; null: none", alias="_target_")
    partial: AlwaysTrue = option("always true: it is called later", alias="_partial_", default=True)
    also: list[Text] = option("other mirrors beside this one: names of files in conf/logger/", default=[])
    project: Text = option("W&B's project", default="tangsweep")
    entity: Text | None = option("W&B's user or team; null: your default", default=None)
    mode: Literal["online", "offline", "disabled"] | None = option(
        "W&B's mode; null: WANDB_MODE, else offline", default=None
    )


class SweepOptions(Options):
    """The group `sweep`: names of folders, and what the sweep asks."""

    name: FolderName | None = option("the folder under outputs/; null: the sweep file or the swept keys")
    question: Text | None = option("what the sweep asks, for its report")
    compare: list[Text] | None = option(
        "the keys whose values are compared, each with its own best values of the others that are varied; "
        "null: choices of files, such as optimizer, and keys of the data",
        default=None,
    )
    varied: FolderName | None = option("readable part of a run's folder name; set by the sweeper")
    stands_in: bool = option("the bundled sample stands in for all runs; set by the sweeper")


class ConfirmOptions(Options):
    """The group `confirm`: runs that judge the settings which a sweep has chosen."""

    seeds: list[Seed] = option(
        "when all runs have ended, each value that is compared is trained with these at its best setting",
        default=[],
    )


class FormOptions(Options):
    """One entry of `poems.forms`: the length of a line, and the temperature with which it is sampled."""

    chars: LineCount = option("characters a line")
    temperature: NonNegativeNumber = option("sampling temperature; 0 is greedy")


FORM_WORDS = Words(
    f"a list of {{chars: a whole number from 1 to {MAX_LINE}, temperature: a number of at least 0}}"
)


class PoemsOptions(Options):
    """The group `poems`: poems composed when a run of poems ends, from its best checkpoint."""

    quality: bool = option("measure a hundred poems: rhyme, tones, variety, what is copied", volatile=True)
    starts: ChineseText = option("one poem for each of these characters and each form")
    lines: LineCount = option("lines a poem")
    forms: Annotated[list[FormOptions], FORM_WORDS] = option("the forms, each with a sampling temperature")


class SamplesOptions(Options):
    """The group `samples`: texts that a model of a book writes while it trains."""

    every: PositiveCount | None = option(
        "steps between samples; null: none while it trains", value_before=500
    )
    length: TextLength = option("characters a sample", value_before=100)
    temperatures: list[NonNegativeNumber] = option(
        "sampling temperatures; 0 is greedy", value_before=[0, 0.5, 1, 2], min_length=1
    )
    prompt_temperature: NonNegativeNumber = option(
        "sampling temperature of the prompts' continuations", value_before=0.5
    )
    prompts: list[Text] = option(
        "texts that are continued when training ends, without characters that the book does not know; a text "
        "of `corpus.path` has held-out lines of its own instead, unless others than these are set",
        min_length=1,
        value_before=[
            "To be, or not to be, that is the question: Whether ",
            "History will be kind to me for I intend to ",
            "Hansel and Gr",
            "Let T be a bounded linear operator in V, a vector space. ",
            "Mas vale pajaro en mano que ver un ciento v",
        ],
    )


class PublishedOptions(Options):
    """The group `published`: figures published for an experiment, to print beside ours."""

    vocabulary: Number | None = option("entries of the vocabulary", default=None)
    train_perplexity: Number | None = option("training perplexity at the end of training", default=None)
    train_windows_loss: Number | None = option("a book's training loss in windows of seq_len", default=None)
    train_windows_accuracy: Number | None = option("a book's training accuracy in windows", default=None)
    dev_perplexity: Number | None = option("development perplexity at the best epoch", default=None)
    nats_per_sequence: Number | None = option("nats per development sequence at the best epoch", default=None)
    differences: Text | None = option("how the setting differs from the published one", default=None)
