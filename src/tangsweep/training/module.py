"""The LightningModule of a language model, for any Lightning trainer.

Runs of `src/train.py` use the subclass in training/step_groups.py, which says what it replaces of Lightning.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tangsweep import inits
from tangsweep.batches.batch import Batch
from tangsweep.cells.registry import complete_cell_options
from tangsweep.config.groups import ModelOptions
from tangsweep.config.options import validate_group
from tangsweep.corpora.vocabulary import OOV_TOKEN
from tangsweep.errors import UserError
from tangsweep.language_model import Carry, LanguageModel, LossOutput, build_language_model
from tangsweep.randomness import derive_seed
from tangsweep.training.averaging_optimizer import switch_averages
from tangsweep.training.numpy_bridge import NumpyLanguageModel
from tangsweep.training.optimizer_factories import MakeOptimizer, MakeScheduler, describe_function
from tangsweep.training.parameter_groups import build_optimizer
from tangsweep.training.scored_module import ScoredModule

CHECKPOINT_FORMAT = 2  # training is not continued from checkpoints of another format


class StepOutput(TypedDict):
    """The loss of one optimizer step; tensors have no gradient once the step is done."""

    loss: Tensor  # mean nats per scored position: what training minimizes
    nats: Tensor  # their sum over text, without padding
    characters: int  # scored positions that are text
    scored: int  # all scored positions


class LanguageModelModule(ScoredModule):
    """Trains, scores and uses a language model whose recurrent cell is built by hand.

    The defaults are those of `conf/`; docs/configuration.md describes the options of cells and models.
    Dropout is drawn from (seed, step). Raises UserError, one line, for a value that is invalid.

    Args:
        tokens: what the model predicts, by id; `data.tokens` of a data module.
        inputs: how many ids the model reads, or how wide its vectors are; None: as many as there are tokens.
        task: what the model is of, `data.task`: decides what `trainer.predict` writes.
        cell: a name of cells/registry.py, or the options of conf/cell/ with that name as `name`.
        embed_size, …, tie_weights: the model, as in conf/model/; LanguageModel describes them.
        init: a function of tangsweep.inits, or the dotted path of another.
        forget_bias: added to the forget gate's bias.
        optimizer: is called with the groups of parameters and, unless it is None, `lr`; for other options
            `functools.partial(torch.optim.AdamW, weight_decay=0.1)`.
        lr: the learning rate; `Tuner.lr_find` sets it.
        decay: what `weight_decay` of the optimizer acts on: "all", or "matrices", which spares vectors.
        scheduler: makes a schedule from the optimizer, stepped once an epoch; one on a plateau watches
            `val/loss`.
        seed: initial weights and dropout follow from it.
        pad_id: the target that is no text, where padding is scored; `data.pad_id`.
    """

    _carry: Carry | None = None  # the recurrent state after the training batch before
    _epoch_characters = 0

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
        sequence_dropout: bool = False,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        output_size: int | None = None,
        init: str = "uniform_scaled",
        forget_bias: float = 0.0,
        optimizer: MakeOptimizer = torch.optim.Adam,
        lr: float | None = 0.01,
        scheduler: MakeScheduler | None = None,
        decay: str = "all",
        seed: int = 0,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.tokens, self.task, self.seed, self.pad_id, self.lr = list(tokens), task, seed, pad_id, lr
        self.inputs = len(self.tokens) if inputs is None else inputs
        self.oov_id = self.tokens.index(OOV_TOKEN) if OOV_TOKEN in self.tokens else None
        self.cell_options = complete_cell_options(cell)
        self.decay, self.model_options = decay, {
            "input": input, "embed_size": embed_size, "hidden_size": hidden_size, "layers": layers,
            "dropout": dropout, "tie_weights": tie_weights, "sequence_dropout": sequence_dropout,
            "embedding_dropout": embedding_dropout, "recurrent_dropout": recurrent_dropout,
            "output_size": output_size,
        }  # fmt: skip
        self._check_arguments(optimizer, lr, scheduler)
        self.model = self._build_model(init, forget_bias)
        self._epoch_nats = torch.zeros((), dtype=torch.float64)

    def _save_arguments(self, init: str, forget_bias: float) -> None:
        arguments = {
            "tokens": self.tokens, "inputs": self.inputs, "task": self.task, "cell": self.cell_options,
            "init": init, "forget_bias": forget_bias, "lr": self.lr, "seed": self.seed, "pad_id": self.pad_id,
            "decay": self.decay,
        }  # fmt: skip
        self.save_hyperparameters(arguments | self.model_options, logger=False)

    def _check_arguments(
        self, optimizer: MakeOptimizer, lr: float | None, scheduler: MakeScheduler | None
    ) -> None:
        name = type(self).__name__
        validate_group(ModelOptions, {**self.model_options, "pretrained_embeddings": None}, name)
        for argument, function, example in (
            ("optimizer", optimizer, "functools.partial(torch.optim.AdamW, weight_decay=0.1)"),
            ("scheduler", scheduler, "functools.partial(torch.optim.lr_scheduler.StepLR, step_size=10)"),
        ):
            if function is not None and not callable(function):
                raise UserError(
                    f"{name}.{argument}={function!r} is invalid: it must be a function, such as {example}"
                )
        if lr is not None and not (isinstance(lr, int | float) and lr >= 0):
            raise UserError(f"{name}.lr={lr!r} is invalid: it must be a number of at least 0, or None")
        self.make_optimizer, self._make_scheduler = optimizer, scheduler

    def _build_model(self, init: str, forget_bias: float) -> LanguageModel:
        self._save_arguments(init, forget_bias)
        try:
            model = build_language_model(self.cell_options, self.model_options, self.inputs, len(self.tokens))
        except ValueError as error:  # such as tied weights of different shapes
            raise UserError(str(error)) from None
        inits.initialize(model, inits.find_scheme(init), forget_bias, self.seed)
        return NumpyLanguageModel(model) if self.cell_options["name"] == "numpy_lstm" else model

    def describe_arguments(self) -> dict[str, Any]:
        """Return the arguments for loggers: without the vocabulary, optimizer and scheduler in words."""
        arguments = {key: value for key, value in self.hparams.items() if key != "tokens"}
        return arguments | {
            "optimizer": describe_function(self.make_optimizer),
            "scheduler": self._make_scheduler and describe_function(self._make_scheduler),
        }

    def configure_optimizers(self) -> Any:
        options = {} if self.lr is None else {"lr": self.lr}
        optimizer = build_optimizer(self.model, self.make_optimizer, self.decay, **options)
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

    def on_validation_start(self) -> None:
        """Score the average of an optimizer that keeps one; ModelCheckpoint saves it at the epoch's end."""
        switch_averages(self.trainer.optimizers, "eval")

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        switch_averages(self.trainer.optimizers, "train")

    def on_train_epoch_end(self) -> None:
        """Log the training loss of the epoch, each batch at the weights that it met."""
        sums = self._sum_over_processes([self._epoch_nats.item(), self._epoch_characters])
        self._log_score("train/epoch_loss", sums[0] / sums[1])
        self._epoch_nats, self._epoch_characters = torch.zeros((), dtype=torch.float64), 0

    def loss(self, batch: Batch, step: int) -> StepOutput:
        """Return the loss of a batch. Raises RuntimeError where it continues a state that is not there."""
        if batch.carry and self._carry is None:
            raise RuntimeError("the batch continues from the state of the batch before, and there was none")
        carry = self._carry if batch.carry else None
        output, carry = self._model_loss(batch, carry, step)
        self._carry = carry.detached()
        text = output.nats if self.pad_id is None else output.nats[output.targets != self.pad_id]
        return {
            "loss": output.mean,
            "nats": text.sum(),
            "characters": len(text),
            "scored": len(output.nats),
        }

    def _model_loss(self, batch: Batch, carry: Carry | None, step: int) -> tuple[LossOutput, Carry]:
        self._seed_dropout(step)
        return self.model.loss(batch.inputs, batch.targets, batch.times, carry)

    def _seed_dropout(self, step: int) -> None:
        """Seed dropout. On the CPU only its own generator is seeded: torch.manual_seed takes 0.15 ms."""
        seed = derive_seed(self.seed, "dropout", step)
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def on_fit_start(self) -> None:
        """Give loggers the arguments of the module and of the data module, without the vocabulary."""
        data = getattr(self.trainer, "datamodule", None)
        arguments = self.describe_arguments()
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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["tangsweep"]["config"]
        if list(checkpoint["tangsweep"]["tokens"]) != self.tokens:
            raise UserError("the checkpoint was trained with another vocabulary than the module has")
        for group, options in (("cell", self.cell_options), ("model", self.model_options)):
            for name, value in options.items():
                if name != "kernel" and name in saved[group] and saved[group][name] != value:
                    raise UserError(
                        f"the checkpoint has {group}.{name}={saved[group][name]}, and the module {value}"
                    )
        if "tangsweep_carry" in checkpoint:
            states, steps = checkpoint["tangsweep_carry"]
            kinds = [type(cell.initial_state(1)) for cell in self.model.cells]
            self._carry = Carry([kind(*state) for kind, state in zip(kinds, states, strict=True)], steps)
