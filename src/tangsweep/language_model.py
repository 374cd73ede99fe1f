"""The language model: input layer → recurrent layers → logits. Plain torch, no Lightning."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.cells.cell import AnyCell, CellFactory, RecurrentState, unroll
from tangsweep.cells.registry import cell_factory
from tangsweep.kernels.cross_entropy import cross_entropy, cross_entropy_and_hits


class Carry(NamedTuple):
    """The recurrent state that is carried from one batch to the next, as in truncated BPTT."""

    states: Sequence[RecurrentState]  # one a layer
    steps: int  # time steps read so far

    def detached(self) -> "Carry":
        """Return the same state cut off from the graph: later gradients end here."""
        states = [type(state)(*(tensor.detach() for tensor in state)) for state in self.states]
        return Carry(states, self.steps)


class LossOutput(NamedTuple):
    """The loss of a batch with N scored positions."""

    mean: Tensor  # nats per scored position: what training minimizes
    nats: Tensor  # (N), without a gradient
    targets: Tensor  # (N)


class ScoredPositions(NamedTuple):
    """The N scored positions of a batch, for an evaluation."""

    nats: Tensor  # (N)
    hits: Tensor  # (N) bool: the target had the highest logit
    targets: Tensor  # (N)
    rows: Tensor  # (N) the position's row in the batch
    steps: Tensor  # (N) its time step


class OneHot(nn.Module):
    """Encode ids (...) as (..., classes): 1 at the id and 0 elsewhere. Nothing is learned."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.eye(classes), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.rows)  # type: ignore[arg-type]


class Embedding(nn.Embedding):
    """torch's embedding, with dropout on its output."""

    def __init__(self, ids: int, size: int, dropout: float) -> None:
        super().__init__(ids, size)
        self.dropout = dropout

    def forward(self, input: Tensor) -> Tensor:
        vectors = super().forward(input)
        return F.dropout(vectors, self.dropout, self.training) if self.dropout else vectors


# The layer that `model.input` names, made from (input width, embedding size, dropout). Only embeddings
# have dropout: of other inputs a whole digit or time stamp would be lost.
INPUTS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "embedding": Embedding,  # of ids
    "one_hot": lambda classes, size, dropout: OneHot(classes),  # of ids
    "reals": lambda width, size, dropout: nn.Identity(),  # of vectors; the cell's W is the linear layer
}


class LanguageModel(nn.Module):
    """An input layer, stacked cells, and an output layer (H, outputs) with bias.

    Args:
        cell: makes one recurrent layer from (input size, hidden size).
        inputs: the number of ids, or with `input` "reals" the width of the input vectors.
        outputs: the number of classes to predict.
        dropout: on embeddings, between layers and before the output layer (Zaremba et al. 2014), never on
            the recurrent path.
        input: a key of INPUTS.
        tie_weights: use the embedding matrix as the matrix of the output layer (Press and Wolf 2017).
            Raises ValueError where the shapes differ.
        kernel: auto, torch or native (kernels/select.py); it computes the loss.
    """

    cells: Sequence[AnyCell]
    embedding: nn.Module

    def __init__(
        self,
        cell: CellFactory,
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
        self.hidden_size, self.dropout, self.kernel = hidden_size, dropout, kernel
        self.embedding = INPUTS[input](inputs, embed_size, dropout)
        sizes = [embed_size if input == "embedding" else inputs] + [hidden_size] * (layers - 1)
        self.cells = cast(Sequence[AnyCell], nn.ModuleList(cell(size, hidden_size) for size in sizes))
        self.output = nn.Linear(hidden_size, outputs)
        if tie_weights:
            if input != "embedding" or embed_size != hidden_size:
                raise ValueError("tied weights: the embeddings must be as wide as the hidden state")
            self.output.weight = self.embedding_weight

    @property
    def embedding_weight(self) -> nn.Parameter:
        """Return the embedding matrix (ids, E). Raises TypeError where the input layer has none."""
        if not isinstance(self.embedding, nn.Embedding):
            raise TypeError(f"{type(self.embedding).__name__} has no embedding matrix")
        return cast(nn.Parameter, self.embedding.weight)

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[Tensor, Carry]:
        """Return the logits (B, T, outputs) of ids (B, T) or vectors (B, T, inputs), and the new carry.

        `times` (B, T) are time stamps; None numbers the time steps, continuing from `carry`. `carry` None
        starts from the initial state.
        """
        x, carry = self._hidden_states(inputs, times, carry)
        return self.output(x).transpose(0, 1), carry

    def loss(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[LossOutput, Carry]:
        """Return the cross-entropy of `targets` (B, T) and the new carry; a target of −1 is not scored.

        Raises ValueError where nothing is scored.
        """
        x, carry = self._hidden_states(inputs, times, carry)
        x, scored_targets, _ = _select_scored(x, targets)
        mean, nats = cross_entropy(x, self.output.weight, self.output.bias, scored_targets, self.kernel)
        return LossOutput(mean, nats, scored_targets), carry

    @torch.no_grad()
    def score(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[ScoredPositions, Carry]:
        """Return nats and hits of every scored position, without gradients, and the new carry.

        The arguments are those of `loss`, but nothing needs to be scored.
        """
        x, carry = self._hidden_states(inputs, times, carry)
        x, scored_targets, positions = _select_scored(x, targets)
        weight, bias = self.output.weight, self.output.bias
        nats, hits = cross_entropy_and_hits(x, weight, bias, scored_targets, self.kernel)
        rows = len(targets)
        return ScoredPositions(nats, hits, scored_targets, positions % rows, positions // rows), carry

    def _hidden_states(
        self, inputs: Tensor, times: Tensor | None, carry: Carry | None
    ) -> tuple[Tensor, Carry]:
        """Return the input of the output layer, (T, B, H), and the new carry."""
        steps = carry.steps if carry else 0
        stamps = None if times is None else times.t()
        x = self.embedding(inputs.transpose(0, 1))  # (T, B, E)
        states: list[RecurrentState] = []
        for layer, cell in enumerate(self.cells):
            x, state = unroll(cell, x, carry.states[layer] if carry else None, stamps, steps)
            x = F.dropout(x, self.dropout, self.training) if self.dropout else x
            states.append(state)
        return x, Carry(states, steps + inputs.shape[1])

    @torch.no_grad()
    def distinct_units(self) -> int:
        """Count the hidden units that differ from every other unit of their layer, over all layers.

        Two units with equal input weights, recurrent weights and biases count as one: their values are equal
        whatever the model reads.
        """
        return sum(len(torch.unique(_weights_by_unit(cell), dim=0)) for cell in self.cells)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return groups for an optimizer; parameters in `Cell.initializers` are exempt from weight decay."""
        own = {
            id(parameter)
            for cell in self.cells
            for name, parameter in cell.named_parameters()
            if name in cell.initializers
        }
        weights = [p for p in self.parameters() if id(p) not in own]
        others = [p for p in self.parameters() if id(p) in own]
        return [{"params": weights}, *([{"params": others, "weight_decay": 0.0}] if others else [])]


def _weights_by_unit(cell: AnyCell) -> Tensor:
    """Return (H, …), for each unit all weights that lead to it: in each parameter every H-th column."""
    H = cell.hidden_size
    parameters = (p.detach() for p in cell.parameters() if p.shape[-1] % H == 0)
    return torch.cat([p.reshape(-1, H) for p in parameters]).t()


def _select_scored(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x (T, B, H) and targets (B, T) at scored positions, and the time-major indices of these."""
    x, targets = x.flatten(0, 1), targets.t().flatten()
    positions = (targets >= 0).nonzero()[:, 0]
    if len(positions) < len(targets):  # the others never reach the output layer
        x, targets = x.index_select(0, positions), targets[positions]
    return x, targets, positions


def build_language_model(
    cell: Mapping[str, Any], model: Mapping[str, Any], inputs: int, outputs: int | None = None
) -> LanguageModel:
    """Return an uninitialized model from the plain values of the config groups `cell` and `model`.

    `inputs` is the number of ids or the width of the input vectors. `outputs` None means as many as `inputs`.
    """
    options = {key: value for key, value in model.items() if key != "pretrained_embeddings"}
    options["kernel"] = cell.get("kernel", "auto")
    return LanguageModel(cell_factory(cell), inputs, inputs if outputs is None else outputs, **options)
