"""samples.txt: what a model writes while it learns, and how it ends given sentences."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as L

from tangsweep.corpora.vocabulary import MARKS, Vocabulary
from tangsweep.files import atomic_write
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.text_writer import Writer
from tangsweep.randomness import derive
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import LogTable, TextTable

COLUMNS = ("step", "temperature", "text")
CONTINUED = ("prompt", "read", "temperature", "continuation")


class Sample(NamedTuple):
    """One text; a line of samples.txt, line breaks written as ⏎.

    `prompt` is what the text was to continue, with characters that the model does not know left out of
    what it read.
    """

    step: int | str
    temperature: float
    text: str
    prompt: str = ""

    @property
    def line(self) -> str:
        how = "greedy" if self.temperature == 0 else f"temperature {self.temperature:g}"
        marked = f"[{self.prompt}] " if self.prompt else ""
        return f"{self.step:>6}  {how:<15}  {marked}{self.text.replace(chr(10), '⏎')}\n"


class Samples(L.Callback):
    """Every `every` steps a text for each temperature, from a random first character and zero state.

    The first character is drawn from (seed, step) and the same for all temperatures.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        folder: RunFolder,
        show: LogTable,
        seed: int,
        every: int,
        length: int,
        temperatures: Sequence[float],
    ) -> None:
        self.vocabulary, self.folder, self.show = vocabulary, folder, show
        self.seed, self.every, self.length, self.temperatures = seed, every, length, list(temperatures)
        self.letters = [token for token in vocabulary.tokens if token not in MARKS]
        self.samples: list[Sample] = []

    def state_dict(self) -> dict[str, Any]:
        return {"samples": [list(sample) for sample in self.samples]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """samples.txt and W&B's table as they were at the checkpoint."""
        self.samples = [Sample(*sample) for sample in state_dict["samples"]]
        atomic_write(self.folder.samples, "".join(sample.line for sample in self.samples))
        self._show(None)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        step = trainer.global_step
        if step % self.every:
            return
        seed = derive(self.seed, "sample", step)
        random = np.random.default_rng(seed)
        first = self.letters[random.integers(len(self.letters))]
        writer = Writer(module.model, self.vocabulary)
        starts = [first] * len(self.temperatures)
        texts = writer.write(starts, self.length - 1, list(map(Decoding, self.temperatures)), seed)
        new = [Sample(step, *pair) for pair in zip(self.temperatures, texts, strict=True)]
        self.samples += new
        append(self.folder, new)
        self._show(step)

    def _show(self, step: int | None) -> None:
        self.show(TextTable("samples", COLUMNS, [sample[:3] for sample in self.samples]), step)


def continuations(
    model: Any,
    vocabulary: Vocabulary,
    folder: RunFolder,
    show: LogTable,
    prompts: Sequence[str],
    length: int,
    temperature: float,
    seed: int,
) -> None:
    """`length` more characters of each prompt; a prompt of which nothing is known is not continued."""
    writer = Writer(model, vocabulary)
    ended, rows = [], []
    for prompt in prompts:
        read = writer.accepted(prompt, "")
        text = (
            writer.write([read], length, [Decoding(temperature)], seed)[0][len(read) :]
            if read
            else "(nothing known)"
        )
        lost = f", read as: {read}" if read not in ("", prompt) else ""
        ended.append(Sample("end", temperature, text, prompt + lost))
        rows.append((prompt, read, temperature, text))
    append(folder, ended)
    show(TextTable("continuations", CONTINUED, rows), None)


def append(folder: RunFolder, samples: Sequence[Sample]) -> None:
    """More lines to samples.txt, whole or not at all."""
    before = folder.samples.read_text(encoding="utf-8") if folder.samples.exists() else ""
    atomic_write(folder.samples, before + "".join(sample.line for sample in samples))
