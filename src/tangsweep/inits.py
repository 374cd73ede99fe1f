"""Initialization schemes: one function for each.

A scheme fills one block in place, a (fan_in, fan_out) view of the weights of one gate. Biases become 0,
except under the schemes of FILLS_BIASES. Embeddings are N(0, 1), torch's default, except under the schemes of
FILLS_EMBEDDING. Embeddings that are tied to the output layer start as that layer does, because N(0, 1)
weights would make the first logits √H times too large.
"""

import importlib
import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from tangsweep.cells.cell import Cell
from tangsweep.errors import UserError, did_you_mean
from tangsweep.language_model import LanguageModel
from tangsweep.randomness import derive_seed

InitScheme = Callable[[Tensor, int, torch.Generator], object]  # fills a block, given the hidden size


def zeros(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """0 everywhere. All units stay equal and no gradient passes back: only the output bias learns."""
    block.zero_()


def uniform_scaled(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """U(0, 1) / 20, biases included, as in the course report that the default sweep reproduces."""
    block.uniform_(0, 1, generator=generator).div_(20)


def normal(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """N(0, 1)."""
    block.normal_(0, 1, generator=generator)


def uniform(block: Tensor, hidden_size: int, generator: torch.Generator) -> None:
    """U(−1/√H, 1/√H), biases included: the default of torch.nn.LSTM, and of a torch.nn.Linear of width H."""
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


def find_scheme(name: str) -> InitScheme:
    """Return the scheme with this name, or of another module by its dotted path.

    Raises UserError where there is none.
    """
    module, _, own_name = name.rpartition(".")
    try:
        scheme = getattr(importlib.import_module(module or __name__), own_name)
    except (ImportError, AttributeError):
        scheme = None
    if not callable(scheme) or (not module and own_name not in SCHEMES):
        hint = did_you_mean(name, SCHEMES)
        raise UserError(f"init={name} does not exist; {hint}there are: {', '.join(SCHEMES)}")
    return cast(InitScheme, scheme)


SCHEMES = ("zeros", "uniform_scaled", "normal", "uniform", "xavier", "kaiming", "orthogonal")
FILLS_BIASES = (zeros, uniform_scaled, uniform)
FILLS_EMBEDDING = (zeros,)


def initialize(model: LanguageModel, scheme: InitScheme, forget_bias: float, seed: int) -> None:
    """Fill every parameter of `model` in place, each from a random generator of its own.

    The weights of a cell are filled gate by gate, so that fan-out is H and not 4H. Parameters for which the
    cell has an initializer (`Cell.initializers`) are filled by that. `forget_bias` is added to the forget
    gate's bias (Jozefowicz, Zaremba and Sutskever 2015 recommend 1). Raises UserError where it is not 0 and
    the cell has no forget gate.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = parameter_generator(seed, name)
            path, _, own_name = name.rpartition(".")
            owner = model.get_submodule(path)
            initializer = owner.initializers.get(own_name) if isinstance(owner, Cell) else None
            if initializer is not None:
                initializer(parameter, generator)
            elif name.startswith("embedding") and parameter is not model.output.weight:
                fill = scheme if scheme in FILLS_EMBEDDING else normal
                fill(parameter, model.hidden_size, generator)
            else:
                _fill_by_blocks(owner, parameter, scheme, model.hidden_size, generator)
        if forget_bias:
            _add_forget_bias(model, forget_bias)


def parameter_generator(seed: int, name: str) -> torch.Generator:
    """Return the random generator of the model's parameter `name`, such as `cells.0.log_period`."""
    return torch.Generator().manual_seed(derive_seed(seed, "init", name))


def _fill_by_blocks(
    owner: nn.Module, parameter: Tensor, scheme: InitScheme, H: int, generator: torch.Generator
) -> None:
    """Fill a parameter by blocks with the input first: one for each gate, or the whole output layer."""
    is_output = isinstance(owner, nn.Linear | nn.Embedding)  # an embedding: tied to the output layer
    blocks = (parameter.t(),) if is_output else torch.split(parameter, H, dim=-1)
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
