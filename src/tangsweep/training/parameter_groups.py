"""The groups in which an optimizer takes a model's weights."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from tangsweep.language_model import LanguageModel
from tangsweep.training.optimizer_factories import MakeOptimizer, optimizer_class

ParameterGroup = dict[str, Any]  # `params`, and options of these weights alone


def build_optimizer(
    model: LanguageModel, make_optimizer: MakeOptimizer, decay: str = "all", **options: float
) -> Optimizer:
    """Return the optimizer of a model's weights; `options` are given to `make_optimizer` beside them.

    A class with the attribute `takes_gates_apart` is given groups with `blocks`, as Muon is.
    """
    gates_apart = getattr(optimizer_class(make_optimizer), "takes_gates_apart", False)
    return make_optimizer(parameter_groups(model, decay, gates_apart), **options)


def parameter_groups(
    model: LanguageModel, decay: str = "all", gates_apart: bool = False
) -> list[ParameterGroup]:
    """Return groups of parameters, of which the last has no weight decay, where any are spared it.

    Parameters in `Cell.initializers` are spared, and with `decay` "matrices" all vectors, such as biases.
    With `gates_apart` the matrices of cells and a projection come in groups before the others. `blocks` of
    a group then is the number of gates side by side in each of its matrices, and 0 for other weights.
    """
    spared = {
        id(parameter)
        for cell in model.cells
        for name, parameter in cell.named_parameters()
        if name in cell.initializers
    }
    if decay == "matrices":
        spared |= {id(parameter) for parameter in model.parameters() if parameter.ndim < 2}
    weights = [p for p in model.parameters() if id(p) not in spared]
    others = [p for p in model.parameters() if id(p) in spared]
    groups = _groups_by_blocks(model, weights) if gates_apart else [{"params": weights}]
    return [*groups, *([{"params": others, "weight_decay": 0.0}] if others else [])]


def _groups_by_blocks(model: LanguageModel, weights: Sequence[Tensor]) -> list[ParameterGroup]:
    blocks = {
        id(matrix): matrix.shape[1] // cell.hidden_size
        for cell in model.cells
        for matrix in cell.parameters()
        if matrix.ndim == 2 and matrix.shape[1] % cell.hidden_size == 0
    }
    if model.projection is not None:
        blocks[id(model.projection.weight)] = 1
    return [
        {"params": [weight for weight in weights if blocks.get(id(weight), 0) == count], "blocks": count}
        for count in (*sorted(set(blocks.values())), 0)
    ]
