"""The memory that training a model needs at least, computed from its config before anything is built."""

from tangsweep import machine
from tangsweep.cells.registry import find_cell
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError

WEIGHT_BYTES = {"64-true": 8, "bf16-true": 2, "16-true": 2}  # by precision; else 4
# How many tensors as large as the weights an optimizer holds; one more with momentum.
OPTIMIZER_STATES = {
    "Adagrad": 1,
    "RMSprop": 1,
    "Adadelta": 2,
    "ASGD": 1,
    "Adam": 2,
    "AdamW": 2,
    "Adamax": 2,
    "NAdam": 2,
    "RAdam": 2,
    "Lion": 1,
    "Muon": 0,  # and its momentum
    "SOAP": 2,
    "ScheduleFreeAdamW": 2,
}


def check_memory(config: AnyConfig, inputs: int = 1, outputs: int = 1) -> None:
    """Raise UserError where training needs more memory than is free.

    `inputs` and `outputs` are those of the model; 1 each, before the corpus is read, is a lower bound.
    """
    needed, free = least_memory(config, inputs, outputs), machine.free_memory()
    if needed > free:
        raise UserError(
            f"the model needs at least {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free: "
            f"lower model.hidden_size={config.model.hidden_size}, model.layers={config.model.layers} or "
            f"model.embed_size={config.model.embed_size}"
        )


def least_memory(config: AnyConfig, inputs: int, outputs: int) -> int:
    """Return the bytes of the weights, their gradients, their average and the optimizer's state.

    With `trainer=gpu` only the weights lie in this machine's memory, where they are initialized.
    """
    copies = 1
    if config.trainer.accelerator == "cpu":
        optimizer = config.optimizer
        copies = 2 + OPTIMIZER_STATES.get(optimizer.target.rpartition(".")[2], 0) + (optimizer.momentum > 0)
        copies += config.trainer.ema_decay is not None or config.trainer.average_after is not None
    size = WEIGHT_BYTES.get(config.trainer.precision, 4)
    return copies * size * count_weights(config, inputs, outputs)


def count_weights(config: AnyConfig, inputs: int, outputs: int) -> int:
    """Return how many weights the matrices of a model have; vectors, such as biases, are not counted."""
    model, gates, hidden = config.model, find_cell(config.cell.name).gates, config.model.hidden_size
    is_embedded = model.input == "embedding"
    width = model.embed_size if is_embedded else inputs
    layers = gates * hidden * (width + hidden + (model.layers - 1) * 2 * hidden)
    projection = hidden * model.output_size if model.output_size else 0
    output = 0 if model.tie_weights else outputs * (model.output_size or hidden)
    return layers + projection + output + (inputs * model.embed_size if is_embedded else 0)
