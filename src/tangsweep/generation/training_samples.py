"""Writes samples.txt: texts of a model while it trains, and its continuations of given prompts."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import pytorch_lightning as L
from pytorch_lightning.utilities.types import STEP_OUTPUT

from tangsweep.batches.batch import Batch
from tangsweep.corpora.vocabulary import SPECIAL_TOKENS, Vocabulary
from tangsweep.files import atomic_write
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.text_writer import TextWriter
from tangsweep.language_model import LanguageModel
from tangsweep.randomness import derive_seed
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.mirror import LogTable, TextTable

SAMPLE_COLUMNS = ("step", "temperature", "text")
CONTINUATION_COLUMNS = ("prompt", "read", "temperature", "continuation")


class TextSample(NamedTuple):
    """One text; a line of samples.txt, in which line breaks are written as ⏎."""

    step: int | str  # the optimizer step, or "end"
    temperature: float
    text: str
    prompt: str = ""  # what the text continues, and what the model read of it where that differs

    @property
    def line(self) -> str:
        decoding = "greedy" if self.temperature == 0 else f"temperature {self.temperature:g}"
        prompt = f"[{self.prompt}] " if self.prompt else ""
        return f"{self.step:>6}  {decoding:<15}  {prompt}{self.text.replace(chr(10), '⏎')}\n"


SavedSamples = dict[str, list[list[int | float | str]]]  # the fields of each sample, as plain values


class SamplesCallback(L.Callback):
    """Writes a text for each of `temperatures` every `every` steps, from the zero state.

    The first character is drawn from (seed, step) and is the same for all temperatures. `length` counts it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        folder: RunFolder,
        log_table: LogTable,
        seed: int,
        every: int,
        length: int,
        temperatures: Sequence[float],
    ) -> None:
        self.vocabulary, self.folder, self.log_table = vocabulary, folder, log_table
        self.seed, self.every, self.length, self.temperatures = seed, every, length, list(temperatures)
        self.characters = [token for token in vocabulary.tokens if token not in SPECIAL_TOKENS]
        self.samples: list[TextSample] = []

    @property
    def state_key(self) -> str:
        """The name in checkpoints: the class's first one, so that runs stopped before a renaming go on."""
        return "Samples"

    def state_dict(self) -> SavedSamples:
        return {"samples": [list(sample) for sample in self.samples]}

    def load_state_dict(self, state_dict: SavedSamples) -> None:
        """Restore the samples, samples.txt and the mirror's table as they were at the checkpoint."""
        self.samples = [TextSample._make(sample) for sample in state_dict["samples"]]
        atomic_write(self.folder.samples, "".join(sample.line for sample in self.samples))
        self._log(None)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Sequence[Batch],
        batch_idx: int,
    ) -> None:
        step = trainer.global_step
        if step % self.every:
            return
        step_seed = derive_seed(self.seed, "sample", step)
        generator = np.random.default_rng(step_seed)
        first = self.characters[generator.integers(len(self.characters))]
        writer = TextWriter(cast(LanguageModel, pl_module.model), self.vocabulary)
        starts = [first] * len(self.temperatures)
        texts = writer.write(starts, self.length - 1, list(map(Decoding, self.temperatures)), step_seed)
        samples = [TextSample(step, *pair) for pair in zip(self.temperatures, texts, strict=True)]
        self.samples += samples
        append_samples(self.folder, samples)
        self._log(step)

    def _log(self, step: int | None) -> None:
        self.log_table(TextTable("samples", SAMPLE_COLUMNS, [sample[:3] for sample in self.samples]), step)


def write_continuations(
    model: LanguageModel,
    vocabulary: Vocabulary,
    folder: RunFolder,
    log_table: LogTable,
    prompts: Sequence[str],
    length: int,
    temperature: float,
    seed: int,
) -> None:
    """Append to samples.txt `length` characters that continue each prompt.

    Characters that the model does not know are left out of a prompt; if none is known, it is not continued.
    """
    writer = TextWriter(model, vocabulary)
    samples, rows = [], []
    for prompt in prompts:
        read = writer.replace_unknown(prompt, "")
        text = "(nothing known)"
        if read:
            text = writer.write([read], length, [Decoding(temperature)], seed)[0].removeprefix(read)
        read_as = f", read as: {read}" if read not in ("", prompt) else ""
        samples.append(TextSample("end", temperature, text, prompt + read_as))
        rows.append((prompt, read, temperature, text))
    append_samples(folder, samples)
    log_table(TextTable("continuations", CONTINUATION_COLUMNS, rows), None)


def append_samples(folder: RunFolder, samples: Sequence[TextSample]) -> None:
    """Append lines to samples.txt, all of them or none."""
    before = folder.samples.read_text(encoding="utf-8") if folder.samples.exists() else ""
    atomic_write(folder.samples, before + "".join(sample.line for sample in samples))
