"""The LightningModule of a language model, for any Lightning trainer.

Runs of `src/train.py` use the subclass in training/step_groups.py, which says what it replaces of Lightning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import pytorch_lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tangsweep import inits
from tangsweep.batches.batch import Batch
from tangsweep.checkpoint import TrainedModel
from tangsweep.corpora.vocabulary import Vocabulary
from tangsweep.errors import UserError
from tangsweep.evaluation.scores import tally_batch
from tangsweep.generation.compose import generate_texts
from tangsweep.generation.request import GenerationRequest
from tangsweep.language_model import Carry, LanguageModel, build_language_model
from tangsweep.metrics import Tally
from tangsweep.randomness import derive_seed
from tangsweep.training.numpy_bridge import NumpyLanguageModel

CHECKPOINT_FORMAT = 2  # training is not continued from checkpoints of another format

MakeOptimizer = Callable[..., Optimizer]  # from groups of parameters, and `lr` if it is given
MakeScheduler = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]


class StepOutput(TypedDict):
    """The loss of one optimizer step; tensors have no gradient once the step is done."""

    loss: Tensor  # mean nats per scored position: what training minimizes
    nats: Tensor  # their sum over text, without padding
    characters: int  # scored positions that are text
    scored: int  # all scored positions


class LanguageModelModule(L.LightningModule):
    """Trains, scores and uses a language model whose recurrent cell is built by hand.

    The defaults are those of `conf/`; docs/configuration.md describes the options of cells and models.
    `val/perplexity` and the other scores are exact: sums over all scored characters, never means of batches.
    Dropout is drawn from (seed, step).

    Args:
        tokens: what the model predicts, by id; `data.tokens` of a data module.
        inputs: how many ids the model reads, or how wide its vectors are; None: as many as there are tokens.
        task: what the model is of, `data.task`: decides what `trainer.predict` writes.
        cell: a name of cells/registry.py, or the options of conf/cell/ with that name as `name`.
        embed_size, hidden_size, layers, dropout, input, tie_weights: the model, as in conf/model/.
        init: a function of tangsweep.inits, or the dotted path of another.
        forget_bias: added to the forget gate's bias.
        optimizer: is called with the groups of parameters and, unless it is None, `lr`.
        lr: the learning rate; `Tuner.lr_find` sets it.
        scheduler: makes a schedule from the optimizer, stepped once an epoch; one on a plateau watches
            `val/loss`.
        seed: initial weights and dropout follow from it.
        pad_id: the target that is no text, where padding is scored; `data.pad_id`.
    """

    _carry: Carry | None = None  # the recurrent state after the training batch before
    _evaluation_carry: Carry | None = None  # and after the evaluation batch before

    def __init__(
        self,
        tokens: Sequence[str],
        inputs: int | None = None,
        *,
        task: str = "poems",
        cell: str | Mapping[str, Any] = "lstm",
        embed_size: int = 64,
        hidden_size: int = 64,
        layers: int = 1,
        dropout: float = 0.0,
        input: str = "embedding",
        tie_weights: bool = False,
        init: str = "uniform_scaled",
        forget_bias: float = 0.0,
        optimizer: MakeOptimizer = torch.optim.Adam,
        lr: float | None = 0.01,
        scheduler: MakeScheduler | None = None,
        seed: int = 0,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.tokens, self.task, self.seed, self.pad_id, self.lr = list(tokens), task, seed, pad_id, lr
        self.inputs = len(self.tokens) if inputs is None else inputs
        self.cell_options = {"name": cell} if isinstance(cell, str) else dict(cell)
        self.model_options = {
            "input": input, "embed_size": embed_size, "hidden_size": hidden_size, "layers": layers,
            "dropout": dropout, "tie_weights": tie_weights,
        }  # fmt: skip
        arguments = {
            "tokens": self.tokens, "inputs": self.inputs, "task": task, "cell": self.cell_options,
            "init": init, "forget_bias": forget_bias, "lr": lr, "seed": seed, "pad_id": pad_id,
        }  # fmt: skip
        self.save_hyperparameters(arguments | self.model_options, logger=False)
        self.model = self._build_model(init, forget_bias)
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._tally = Tally()  # of the set that is being evaluated
        self._epoch_nats = torch.zeros((), dtype=torch.float64)
        self._epoch_characters = 0

    def _build_model(self, init: str, forget_bias: float) -> LanguageModel:
        model = build_language_model(self.cell_options, self.model_options, self.inputs, len(self.tokens))
        inits.initialize(model, inits.find_scheme(init), forget_bias, self.seed)
        return NumpyLanguageModel(model) if self.cell_options["name"] == "numpy_lstm" else model

    def configure_optimizers(self) -> Any:
        options = {} if self.lr is None else {"lr": self.lr}
        optimizer = self._make_optimizer(self.model.parameter_groups(), **options)
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val/loss"}}
        return [optimizer], [scheduler]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean loss of the batch in nats, to be minimized."""
        processes = self.trainer.world_size
        if processes > 1 and not (batch.targets >= 0).any():  # this process has no row of the batch
            zero = sum((parameter.sum() * 0 for parameter in self.parameters()), torch.zeros(()))
            output = StepOutput(loss=zero, nats=torch.zeros(()), characters=0, scored=0)
        else:
            output = self.loss(batch, self.trainer.fit_loop.epoch_loop.total_batch_idx)
        self._epoch_nats += output["nats"].detach().cpu()
        self._epoch_characters += output["characters"]
        self.log("train/loss", output["loss"].detach(), prog_bar=True)
        if processes == 1:
            return output["loss"]
        # Lightning averages over processes, each of which has scored another number of positions.
        scored = torch.tensor(float(output["scored"]), device=self.device)
        mean = self.trainer.strategy.reduce(scored.clone(), reduce_op="mean")  # in place
        return output["loss"] * (scored / mean)

    def on_train_epoch_end(self) -> None:
        """Log the training loss of the epoch, each batch at the weights that it met."""
        sums = self._sum_over_processes([self._epoch_nats.item(), self._epoch_characters])
        self._log_score("train/epoch_loss", sums[0] / sums[1])
        self._epoch_nats, self._epoch_characters = torch.zeros((), dtype=torch.float64), 0

    def loss(self, batch: Batch, step: int) -> StepOutput:
        """Return the loss of a batch. Raises RuntimeError where it continues a state that is not there."""
        self._seed_dropout(step)
        if batch.carry and self._carry is None:
            raise RuntimeError("the batch continues from the state of the batch before, and there was none")
        carry = self._carry if batch.carry else None
        output, carry = self.model.loss(batch.inputs, batch.targets, batch.times, carry)
        self._carry = carry.detached()
        text = output.nats if self.pad_id is None else output.nats[output.targets != self.pad_id]
        return {
            "loss": output.mean,
            "nats": text.sum(),
            "characters": len(text),
            "scored": len(output.nats),
        }

    def _seed_dropout(self, step: int) -> None:
        """Seed dropout. On the CPU only its own generator is seeded: torch.manual_seed takes 0.15 ms."""
        seed = derive_seed(self.seed, "dropout", step)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_validation_epoch_start(self) -> None:
        self._tally, self._evaluation_carry = Tally(), None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        carry = self._evaluation_carry if batch.carry else None
        positions, self._evaluation_carry = self.model.score(batch.inputs, batch.targets, batch.times, carry)
        self._tally = self._tally + tally_batch(positions, self.pad_id)

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

    def on_fit_start(self) -> None:
        """Give loggers the arguments of the module and of the data module, without the vocabulary."""
        data = getattr(self.trainer, "datamodule", None)
        arguments = {key: value for key, value in self.hparams.items() if key != "tokens"}
        arguments |= {"data": dict(data.hparams)} if data is not None and data.hparams else {}
        for logger in self.loggers:
            logger.log_hyperparams(arguments)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what checkpoint.py rebuilds the model from, and the carried state."""
        checkpoint["tangsweep"] = {"config": self.config(), "tokens": self.tokens, "inputs": self.inputs}
        checkpoint["tangsweep_format"] = CHECKPOINT_FORMAT
        if self._carry is not None:
            states = [list(state) for state in self._carry.states]
            checkpoint["tangsweep_carry"] = [states, self._carry.steps]

    @property
    def trained_model(self) -> TrainedModel:
        """The model as `tangsweep.generate` and `tangsweep.perplexity` take it."""
        return TrainedModel(self.model, Vocabulary(self.tokens), self.config())

    def config(self) -> dict[str, Any]:
        """Return the config for checkpoints: the groups that rebuild the model."""
        return {"cell": self.cell_options, "model": self.model_options, "corpus": {"task": self.task}}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "tangsweep_carry" in checkpoint:
            states, steps = checkpoint["tangsweep_carry"]
            kinds = [type(cell.initial_state(1)) for cell in self.model.cells]
            self._carry = Carry([kind(*state) for kind, state in zip(kinds, states, strict=True)], steps)
