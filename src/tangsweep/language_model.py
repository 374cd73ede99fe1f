"""The language model: input layer → recurrent layers → logits. Plain torch, no Lightning."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.cells.registry import cell_factory
from tangsweep.cells.unroll import unroll
from tangsweep.kernels.cross_entropy import cross_entropy, scored


class Carry(NamedTuple):
    """What a later call goes on from: each layer's state, and how many time steps were read."""

    states: Sequence[Any]
    steps: int

    def detached(self) -> "Carry":
        """The same without its past: gradients of what comes after end here (truncated BPTT)."""
        states = [type(state)(*(tensor.detach() for tensor in state)) for state in self.states]
        return Carry(states, self.steps)


class Scored(NamedTuple):
    """What a step's scored positions cost."""

    mean: Tensor  # nats per scored position: what training minimizes
    nats: Tensor  # (N) of each, without a gradient
    targets: Tensor  # (N) their targets


class Hits(NamedTuple):
    """What an evaluation counts, of N scored positions."""

    nats: Tensor  # (N)
    hits: Tensor  # (N) bool: the target had the highest logit
    targets: Tensor  # (N)
    rows: Tensor  # (N) the row of the batch


class OneHot(nn.Module):
    """Ids (...) → (..., classes), 1 at the id and 0 elsewhere; nothing is learned."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.eye(classes), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.rows)  # type: ignore[arg-type]


class Embedding(nn.Embedding):
    """torch's, with dropout on what is looked up."""

    def __init__(self, ids: int, size: int, dropout: float) -> None:
        super().__init__(ids, size)
        self.dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        found = super().forward(input)
        return F.dropout(found, self.dropout, self.training) if self.dropout else found


# What `model.input` names, made from (width of the inputs, embedding size, dropout). Inputs that are no
# embeddings are never dropped: a digit or a time stamp would be lost.
INPUTS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "embedding": Embedding,  # ids
    "one_hot": lambda classes, size, dropout: OneHot(classes),  # ids
    "reals": lambda width, size, dropout: nn.Identity(),  # vectors: the cell's own W is the linear layer
}


class LanguageModel(nn.Module):
    """Input layer, stacked cells, output layer (H, outputs) with bias.

    `cell(input_size, hidden_size)` makes one layer. `inputs` is the number of ids, or for `reals` the
    width of the vectors; `outputs` the number of classes to predict. Dropout falls on the embeddings,
    between the layers and before the output layer (Zaremba et al. 2014), never on the recurrent path.
    With `tie_weights` the output layer's matrix is the embeddings' (Press and Wolf 2017). Raises ValueError
    where it cannot be. `kernel` computes the loss: auto, torch or native.
    """

    def __init__(
        self,
        cell: Callable[[int, int], nn.Module],
        inputs: int,
        outputs: int,
        embed_size: int,
        hidden_size: int,
        layers: int = 1,
        dropout: float = 0.0,
        input: str = "embedding",
        tie_weights: bool = False,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        self.hidden_size, self.kernel = hidden_size, kernel
        self.embedding: Any = INPUTS[input](inputs, embed_size, dropout)
        first = embed_size if input == "embedding" else inputs
        sizes = [first] + [hidden_size] * (layers - 1)
        self.cells: Any = nn.ModuleList(cell(size, hidden_size) for size in sizes)
        self.output = nn.Linear(hidden_size, outputs)
        self.dropout = dropout
        if tie_weights:
            if input != "embedding" or embed_size != hidden_size:
                raise ValueError("tied weights: the embeddings must be as wide as the hidden state")
            self.output.weight = cast(nn.Parameter, self.embedding.weight)

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[Tensor, Carry]:
        """Ids (B, T) or vectors (B, T, inputs) → logits (B, T, outputs), and what to carry on from.

        `times` (B, T) are time stamps; None: the number of each time step, counted on from `carry`.
        """
        x, left = self._read(inputs, times, carry)
        return self.output(x).transpose(0, 1), left

    def loss(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[Scored, Carry]:
        """The cross-entropy of `targets` (B, T), without those that are −1, and what to carry on from.

        Raises ValueError where none is scored.
        """
        x, left = self._read(inputs, times, carry)
        x, targets, _ = _scored(x, targets)
        mean, nats = cross_entropy(x, self.output.weight, self.output.bias, targets, self.kernel)
        return Scored(mean, nats, targets), left

    @torch.no_grad()
    def score(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[Hits, Carry]:
        """`loss` for an evaluation, position by position; none may be scored."""
        x, left = self._read(inputs, times, carry)
        x, scored_targets, places = _scored(x, targets)
        found = scored(x, self.output.weight, self.output.bias, scored_targets, self.kernel)
        return Hits(*found, scored_targets, places % len(targets)), left

    def _read(self, inputs: Tensor, times: Tensor | None, carry: Carry | None) -> tuple[Tensor, Carry]:
        """What the output layer sees, (T, B, H)."""
        read = carry.steps if carry else 0
        steps = inputs.shape[1]
        stamps = None if times is None else times.t()
        x = self.embedding(inputs.transpose(0, 1))  # (T, B, E)
        states = []
        for layer, cell in enumerate(self.cells):
            x, state = unroll(cell, x, carry.states[layer] if carry else None, stamps, read)
            x = self._drop(x)
            states.append(state)
        return x, Carry(states, read + steps)

    @torch.no_grad()
    def distinct_units(self) -> int:
        """Hidden units that differ from every other of their layer, all layers together.

        Two units with the same weights from below and the same recurrent weights and biases are one: they
        always have the same value, whatever is read.
        """
        return sum(len(_units(cell).unique(dim=0)) for cell in self.cells)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For an optimizer: what a cell draws itself, periods and the like, is no weight and never decays."""
        drawn = {
            id(parameter)
            for cell in self.cells
            for name, parameter in cell.named_parameters()
            if name in getattr(cell, "draws", {})
        }
        weights = [p for p in self.parameters() if id(p) not in drawn]
        others = [p for p in self.parameters() if id(p) in drawn]
        return [{"params": weights}, *([{"params": others, "weight_decay": 0.0}] if others else [])]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def _units(cell: nn.Module) -> Tensor:
    """(H, …) all of a cell's weights that lead to each unit: of the last axis of each, every H-th."""
    hidden_size = cast(Any, cell).U.shape[0]
    of_units = (p.detach() for p in cell.parameters() if p.shape[-1] % hidden_size == 0)
    return torch.cat([p.reshape(-1, hidden_size) for p in of_units]).t()


def _scored(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of x (T, B, H) and targets (B, T) those that are scored, and their places in time-major order."""
    x, targets = x.flatten(0, 1), targets.t().flatten()
    places = (targets >= 0).nonzero()[:, 0]
    if len(places) < len(targets):  # the rest never reaches the output layer
        x, targets = x.index_select(0, places), targets[places]
    return x, targets, places


def build(
    cell: Mapping[str, Any], model: Mapping[str, Any], inputs: int, outputs: int | None = None
) -> LanguageModel:
    """An untrained model from the values of the config groups `cell` and `model`.

    `outputs` None: it predicts what it reads.
    """
    options = {key: value for key, value in model.items() if key != "pretrained_embeddings"}
    options["kernel"] = cell.get("kernel", "auto")
    return LanguageModel(cell_factory(cell), inputs, inputs if outputs is None else outputs, **options)
