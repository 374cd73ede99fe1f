"""What turns a batch into vectors for the first recurrent layer, and dropout."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class OneHot(nn.Module):
    """Encode ids (...) as (..., classes): 1 at the id and 0 elsewhere. Nothing is learned."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.eye(classes), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.rows)  # type: ignore[arg-type]


class Dropout(nn.Module):
    """Dropout of activations (T, B, H); with `per_sequence` one mask holds for all time steps of a sequence.

    The second is the variational dropout of Gal and Ghahramani (2016).
    """

    def __init__(self, rate: float, per_sequence: bool = False) -> None:
        super().__init__()
        self.rate, self.per_sequence = rate, per_sequence

    def forward(self, x: Tensor) -> Tensor:
        if not (self.rate and self.training):
            return x
        if not self.per_sequence:
            return F.dropout(x, self.rate)
        return x * F.dropout(x.new_ones(1, *x.shape[1:]), self.rate)


class Embedding(nn.Embedding):
    """torch's embedding, with dropout of whole ids: in a batch, such an id is zero wherever it stands.

    Gal and Ghahramani 2016; Merity, Keskar and Socher 2018, section 4.3.
    """

    def __init__(self, ids: int, size: int, id_dropout: float) -> None:
        super().__init__(ids, size)
        self.id_dropout = id_dropout

    def forward(self, input: Tensor) -> Tensor:
        vectors = super().forward(input)
        if not (self.id_dropout and self.training):
            return vectors
        mask = F.dropout(vectors.new_ones(self.num_embeddings), self.id_dropout)
        return vectors * mask[input][..., None]


# The layer that `model.input` names, made from (input width, embedding size, dropout of ids). Only
# embeddings have dropout: of other inputs a whole digit or time stamp would be lost.
INPUTS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "embedding": Embedding,  # of ids
    "one_hot": lambda classes, size, id_dropout: OneHot(classes),  # of ids
    "reals": lambda width, size, id_dropout: nn.Identity(),  # of vectors; the cell's W is the linear layer
}
