"""The language model that one would write with torch's own modules: what the benchmarks compare with."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TorchLanguageModel(nn.Module):
    """torch.nn.Embedding, LSTM (oneDNN's on the CPU, cuDNN's on a GPU) and Linear, batch first."""

    def __init__(self, vocabulary: int, embed_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, vocabulary)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of those targets (B, T) that are not −1."""
        logits = self.output(self.lstm(self.embedding(inputs))[0])
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)


def torch_model_like(
    model: nn.Module, vocabulary: int, embed_size: int, hidden_size: int
) -> TorchLanguageModel:
    """Return a model with the weights of a tangsweep LanguageModel of one LSTM layer."""
    peer, weights = TorchLanguageModel(vocabulary, embed_size, hidden_size), model.state_dict()
    with torch.no_grad():
        peer.embedding.weight.copy_(weights["embedding.weight"])
        peer.lstm.weight_ih_l0.copy_(weights["cells.0.W"].t())
        peer.lstm.weight_hh_l0.copy_(weights["cells.0.U"].t())
        peer.lstm.bias_ih_l0.copy_(weights["cells.0.b"])
        peer.lstm.bias_hh_l0.zero_()
        peer.output.load_state_dict({name: weights[f"output.{name}"] for name in ("weight", "bias")})
    return peer
