"""Initialization: one function a scheme.

A scheme fills one block, a (fan_in, fan_out) view of the weights of one gate; biases become 0 but
under the schemes of `FILLS_BIASES`. The embedding stays torch's N(0, 1) under every scheme but `zeros`; tied
to the output layer it starts as that does, since logits of N(0, 1) weights are √H times too large.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tangsweep.errors import UserError
from tangsweep.language_model import LanguageModel
from tangsweep.randomness import derive

Scheme = Callable[[Tensor, int, torch.Generator], object]  # block, hidden size, generator


def zeros(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """Everything 0. The units stay identical, no signal passes back: only the output bias learns."""
    block.zero_()


def uniform_scaled(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """U(0, 1) / 20, biases included, as in the course report that the default sweep reproduces."""
    block.uniform_(0, 1, generator=generator).div_(20)


def normal(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """N(0, 1)."""
    block.normal_(0, 1, generator=generator)


def uniform(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """U(−1/√H, 1/√H), biases included: the default of torch.nn.LSTM and, here, of torch.nn.Linear."""
    bound = 1 / math.sqrt(hidden_size)
    block.uniform_(-bound, bound, generator=generator)


def xavier(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """U(±√(6 / (fan_in + fan_out))), biases 0. Glorot and Bengio 2010, equation 16."""
    bound = math.sqrt(6 / sum(block.shape))
    block.uniform_(-bound, bound, generator=generator)


def kaiming(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """N(0, 2 / fan_in), biases 0. He et al. 2015, equation 10."""
    block.normal_(0, math.sqrt(2 / block.shape[0]), generator=generator)


def orthogonal(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """Orthonormal rows or columns, whichever are fewer, biases 0. Saxe, McClelland, Ganguli 2014."""
    nn.init.orthogonal_(block, generator=generator)


FILLS_BIASES = (zeros, uniform_scaled, uniform)
FILLS_EMBEDDING = (zeros,)


def initialize(model: LanguageModel, scheme: Scheme, forget_bias: float, seed: int) -> None:
    """Fill every parameter of `model` in place, each from its own generator.

    Weights of a cell are filled gate by gate, so that fan-out is H and not 4H; parameters that a cell
    `draws` itself (periods of a Phased LSTM) are left to it. `forget_bias` is added
    to the forget gate's bias (Jozefowicz, Zaremba and Sutskever 2015 advise 1).
    Raises UserError where `forget_bias` is set and the cell has no forget gate.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = torch.Generator().manual_seed(derive(seed, "init", name))
            owner: Any = model.get_submodule(name.rpartition(".")[0])
            draw = getattr(owner, "draws", {}).get(name.rpartition(".")[2])
            if draw is not None:
                draw(parameter, generator)
            elif name.startswith("embedding") and parameter is not model.output.weight:
                fill = scheme if scheme in FILLS_EMBEDDING else normal
                fill(parameter, model.hidden_size, generator)
            else:
                _fill(owner, parameter, scheme, model.hidden_size, generator)
        if forget_bias:
            _add_forget_bias(model, forget_bias)


def _fill(owner: Any, parameter: Tensor, scheme: Scheme, H: int, generator: torch.Generator) -> None:
    """Block by block, each a view, input-first: one a gate for a cell, one for the output layer."""
    of_layer = isinstance(owner, nn.Linear | nn.Embedding)  # the output layer, under its own name or tied
    blocks = (parameter.t(),) if of_layer else parameter.split(H, dim=-1)
    for block in blocks:
        if block.ndim > 1 or scheme in FILLS_BIASES:
            scheme(block, H, generator)
        else:
            block.zero_()


def _add_forget_bias(model: LanguageModel, forget_bias: float) -> None:
    for cell in model.cells:
        if "f" not in cell.gates:
            raise UserError(
                f"init.forget_bias={forget_bias} needs a cell with a forget gate: "
                f"{type(cell).__name__} has none, set it to 0"
            )
        cell.b.chunk(len(cell.gates))[cell.gates.index("f")].add_(forget_bias)
