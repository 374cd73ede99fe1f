"""The half of the LightningModule that scores a language model and writes with it."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as L
import torch
from torch import Tensor

from tangsweep.batches.batch import Batch
from tangsweep.checkpoint import TrainedModel
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.evaluation.scores import at_least_float32, score_batch, tally_batch
from tangsweep.generation.compose import generate_texts
from tangsweep.generation.request import GenerationRequest
from tangsweep.language_model import Carry, LanguageModel
from tangsweep.metrics import Tally


class ScoredModule(L.LightningModule):
    """Scores a model of `task` on the development and the test set, and predicts.

    Scores are sums over all scored characters in float64, never means of batches.
    """

    model: LanguageModel
    tokens: list[str]  # what the model predicts, by id
    task: str
    seed: int
    pad_id: int | None  # the target that is no text, where padding is scored
    cell_options: dict[str, Any]
    model_options: dict[str, Any]
    oov_id: int | None  # the id of characters outside the vocabulary, where there is one
    _evaluation_carry: Carry | None = None  # the recurrent state after the evaluation batch before
    _scored: list[LanguageModel]  # the model, or its copy in float32
    _tally = Tally()  # of the set that is being evaluated

    def setup(self, stage: str) -> None:
        """Raise UserError where the data module has other ids than the model."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None and list(data.tokens) != self.tokens:
            raise UserError(
                f"the module was made for {len(self.tokens)} tokens, and the data module has other "
                f"{len(data.tokens)}: make the module with the tokens of the same data module"
            )

    @property
    def trained_model(self) -> TrainedModel:
        """The model as `tangsweep.generate` and `tangsweep.perplexity` take it."""
        return TrainedModel(self.model, Vocabulary(self.tokens), self.config())

    def config(self) -> dict[str, Any]:
        """Return the config for checkpoints: the groups that rebuild the model."""
        return {"cell": self.cell_options, "model": self.model_options, "corpus": {"task": self.task}}

    def on_validation_epoch_start(self) -> None:
        self._tally, self._evaluation_carry = Tally(), None
        self._scored = [at_least_float32(self.model)]  # in a list: a submodule would be saved

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        [model] = self._scored
        positions, self._evaluation_carry = score_batch(model, batch, self._evaluation_carry)
        self._tally = self._tally + tally_batch(positions, self.pad_id, self.oov_id)

    def on_validation_epoch_end(self) -> None:
        """Log `val/loss`, `val/perplexity`, `val/bits_per_character` and `val/accuracy`."""
        self._log_scores("val")

    on_test_epoch_start, test_step = on_validation_epoch_start, validation_step

    def on_test_epoch_end(self) -> None:
        """Log the scores of the test set, named as those of the development set are."""
        self._log_scores("test")

    def _log_scores(self, name: str) -> None:
        tally = Tally.from_sums(self._sum_over_processes(self._tally.sums()))
        for score, value in tally.headline_scores().items():
            self._log_score(f"{name}/{score}", value)

    def _log_score(self, name: str, value: float) -> None:
        """Log in float64: Lightning would round to float32."""
        self.log(name, torch.tensor(value, dtype=torch.float64), prog_bar=name == "val/perplexity")

    def _sum_over_processes(self, sums: Sequence[float]) -> list[float]:
        if self.trainer.world_size == 1:
            return list(sums)
        tensor = torch.tensor(sums, dtype=torch.float64, device=self.device)
        return [float(x) for x in self.trainer.strategy.reduce(tensor, reduce_op="sum")]

    def predict_step(self, batch: str | Batch, batch_idx: int) -> str | Tensor:
        """Write a text that begins with `batch`; of other tasks, return the ids predicted where it is scored.

        A model of poems composes four lines of seven characters, others continue the text; see
        `tangsweep.generate` for more. Where a poem cannot be composed, the reason stands in its place.
        """
        if isinstance(batch, str):
            try:
                return generate_texts(self.trained_model, GenerationRequest(start=batch, seed=self.seed))[0]
            except UserError as reason:
                return f"({reason})"
        logits, _ = self.model(batch.inputs, batch.times)
        predicted: Tensor = logits.argmax(dim=-1)[batch.targets >= 0]
        return predicted
