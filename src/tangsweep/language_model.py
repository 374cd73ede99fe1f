"""The language model: input layer → recurrent layers → logits. Plain torch, no Lightning."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from tangsweep.cells.cell import AnyCell, CellFactory, RecurrentState, unroll
from tangsweep.cells.registry import cell_factory
from tangsweep.input_layers import INPUTS, Dropout, Embedding
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


class LanguageModel(nn.Module):
    """An input layer, stacked cells, and an output layer (H, outputs) with bias.

    With `output_size` P, a projection (H, P) without bias stands before the output layer, then (P, outputs).

    Args:
        cell: makes one recurrent layer from (input size, hidden size).
        inputs: the number of ids, or with `input` "reals" the width of the input vectors.
        outputs: the number of classes to predict.
        dropout: on embeddings, between layers and before the output layer (Zaremba et al. 2014), never on
            the recurrent path.
        sequence_dropout: draw one mask a sequence for `dropout`, not one a time step.
        embedding_dropout: the share of ids whose embeddings are zero in a batch.
        recurrent_dropout: the share of the recurrent weights U that are zero in a batch, the same for all
            time steps (weight-drop: Merity, Keskar and Socher 2018, section 2).
        output_size: P, the width that the output layer reads; None: H, without a projection.
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
        sequence_dropout: bool = False,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        output_size: int | None = None,
        kernel: str = "auto",
    ) -> None:
        super().__init__()
        self.hidden_size, self.recurrent_dropout, self.kernel = hidden_size, recurrent_dropout, kernel
        self.dropout = Dropout(dropout, sequence_dropout)
        self.embedding = INPUTS[input](inputs, embed_size, embedding_dropout)
        sizes = [embed_size if input == "embedding" else inputs] + [hidden_size] * (layers - 1)
        self.cells = cast(Sequence[AnyCell], nn.ModuleList(cell(size, hidden_size) for size in sizes))
        width = output_size or hidden_size
        self.projection = nn.Linear(hidden_size, width, bias=False) if output_size else None
        self.output = nn.Linear(width, outputs)
        if tie_weights:
            if input != "embedding" or embed_size != width:
                raise ValueError(
                    "tied weights: the embeddings must be as wide as what the output layer reads"
                )
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
        return self.output(self._project(x)).transpose(0, 1), carry

    def loss(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[LossOutput, Carry]:
        """Return the cross-entropy of `targets` (B, T) and the new carry; a target of −1 is not scored.

        Raises ValueError where nothing is scored.
        """
        x, carry = self._hidden_states(inputs, times, carry)
        x, scored_targets, _ = select_scored(x, targets)
        mean, nats = cross_entropy(
            self._project(x), self.output.weight, self.output.bias, scored_targets, self.kernel
        )
        return LossOutput(mean, nats, scored_targets), carry

    @torch.no_grad()
    def score(
        self, inputs: Tensor, targets: Tensor, times: Tensor | None = None, carry: Carry | None = None
    ) -> tuple[ScoredPositions, Carry]:
        """Return nats and hits of every scored position, without gradients, and the new carry.

        The arguments are those of `loss`, but nothing needs to be scored.
        """
        x, carry = self._hidden_states(inputs, times, carry)
        x, scored_targets, positions = select_scored(x, targets)
        weight, bias = self.output.weight, self.output.bias
        nats, hits = cross_entropy_and_hits(self._project(x), weight, bias, scored_targets, self.kernel)
        rows = len(targets)
        return ScoredPositions(nats, hits, scored_targets, positions % rows, positions // rows), carry

    def _hidden_states(
        self, inputs: Tensor, times: Tensor | None, carry: Carry | None
    ) -> tuple[Tensor, Carry]:
        """Return the input of the output layer, (T, B, H), and the new carry."""
        steps = carry.steps if carry else 0
        stamps = None if times is None else times.t()
        x = self.embedding(inputs.transpose(0, 1))  # (T, B, E)
        if isinstance(self.embedding, Embedding):
            x = self.dropout(x)
        states: list[RecurrentState] = []
        for layer, cell in enumerate(self.cells):
            x, state = self._unroll(cell, x, carry.states[layer] if carry else None, stamps, steps)
            x = self.dropout(x)
            states.append(state)
        return x, Carry(states, steps + inputs.shape[1])

    def _unroll(
        self, cell: AnyCell, x: Tensor, state: RecurrentState | None, times: Tensor | None, first: int
    ) -> tuple[Tensor, RecurrentState]:
        """Run one layer; while it trains with dropout of U, with a part of its recurrent weights at zero."""
        if not (self.recurrent_dropout and self.training):
            return unroll(cell, x, state, times, first)
        dropped = {"U": F.dropout(cell.U, self.recurrent_dropout)}
        outputs, last = functional_call(cell, dropped, (x, state, times, first))
        return outputs, last

    def _project(self, x: Tensor) -> Tensor:
        """Return what the output layer reads: (…, H) → (…, P) where there is a projection."""
        return x if self.projection is None else self.projection(x)

    @torch.no_grad()
    def distinct_units(self) -> int:
        """Count the hidden units that differ from every other unit of their layer, over all layers.

        Two units with equal input weights, recurrent weights and biases count as one: their values are equal
        whatever the model reads.
        """
        return sum(len(torch.unique(_weights_by_unit(cell), dim=0)) for cell in self.cells)


def _weights_by_unit(cell: AnyCell) -> Tensor:
    """Return (H, …), for each unit all weights that lead to it: in each parameter every H-th column."""
    H = cell.hidden_size
    parameters = (p.detach() for p in cell.parameters() if p.shape[-1] % H == 0)
    return torch.cat([p.reshape(-1, H) for p in parameters]).t()


def select_scored(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
