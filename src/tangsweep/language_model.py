"""The language model: input layer → recurrent layers → logits. Plain torch, no Lightning."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from tangsweep.cells.named import named
from tangsweep.cells.unroll import unroll


class LanguageModel(nn.Module):
    """Embedding (V, E), stacked cells, output layer (V, H) with bias (V).

    `cell(input_size, hidden_size)` makes one layer. Dropout falls on the embeddings, between the
    layers and before the output layer (Zaremba et al. 2014), never on the recurrent path.
    """

    def __init__(
        self,
        cell: Callable[[int, int], nn.Module],
        vocabulary: int,
        embed_size: int,
        hidden_size: int,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocabulary, embed_size)
        sizes = [embed_size] + [hidden_size] * (layers - 1)
        self.cells: Any = nn.ModuleList(cell(size, hidden_size) for size in sizes)
        self.output = nn.Linear(hidden_size, vocabulary)
        self.dropout = dropout

    def forward(self, inputs: Tensor, carry: Sequence[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """Ids (B, T) → logits (B, T, V) and each layer's final state, to carry on from."""
        x = self._drop(self.embedding(inputs.t()))  # (T, B, E)
        states = []
        for layer, cell in enumerate(self.cells):
            x, state = unroll(cell, x, carry[layer] if carry else None)
            x = self._drop(x)
            states.append(state)
        return self.output(x).transpose(0, 1), states

    def nats(self, inputs: Tensor, targets: Tensor, carry: Sequence[Any] | None = None) -> Tensor:
        """(B, T) cross-entropy of every target in nats, zero where it is −1: what training minimizes."""
        return nats(self(inputs, carry)[0], targets)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def nats(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, T) cross-entropy of each position in nats, zero where the target is −1.

    `logits` (B, T, V) are unnormalized: the softmax is applied here, once.
    """
    flat = F.cross_entropy(
        logits.transpose(0, 1).flatten(0, 1),
        targets.t().flatten(),
        ignore_index=-1,
        reduction="none",
    )
    return flat.view(targets.shape[1], targets.shape[0]).t()


def build(cell: Mapping[str, Any], model: Mapping[str, Any], vocabulary: int) -> LanguageModel:
    """An untrained model from the values of the config groups `cell` and `model`."""
    sizes = {key: value for key, value in model.items() if key != "pretrained_embeddings"}
    return LanguageModel(named(cell), vocabulary, **sizes)
