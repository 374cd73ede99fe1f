"""Repeats a run of docs/study.md with torch.nn.LSTM and rules of optimizers written out here.

    python benchmarks/study_check.py muon --lr 0.0156 --momentum 0.836
    python benchmarks/study_check.py lion --lr 0.00887 --decay 0.245

Only the poems' ids come from this project. Weights are drawn otherwise, so scores agree as far as those of
other seeds do.
"""

import argparse
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tangsweep import TangDataModule
from tangsweep.corpora.vocabulary import OOV_TOKEN

State = dict[str, Tensor]  # of an optimizer, for one weight
WIDTH, EPOCHS, WARM_UP = 96, 2, 75


class PlainModel(nn.Module):
    """torch.nn.LSTM between tied embeddings, U(−1/√H, 1/√H), one bias, the forget gate's 1 higher."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(WIDTH)
        self.table = nn.Parameter(torch.empty(tokens, WIDTH).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(tokens).uniform_(-bound, bound))
        self.lstm = nn.LSTM(WIDTH, WIDTH)
        self.lstm.bias_hh_l0.requires_grad_(False).zero_()
        with torch.no_grad():
            self.lstm.bias_ih_l0[WIDTH : 2 * WIDTH] += 1

    def nats(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each scored position of (B, T) ids."""
        outputs, _ = self.lstm(self.table[inputs.T])
        logits = outputs.transpose(0, 1)[targets >= 0] @ self.table.T + self.bias
        return F.cross_entropy(logits, targets[targets >= 0], reduction="none")


def lion_step(weight: Tensor, gradient: Tensor, state: State, lr: float, o: argparse.Namespace) -> None:
    """Chen et al. 2023, algorithm 2."""
    m = state.setdefault("m", torch.zeros_like(weight))
    weight -= lr * (torch.sign(0.9 * m + 0.1 * gradient) + o.decay * weight)
    m.copy_(0.99 * m + 0.01 * gradient)


def adamw_step(weight: Tensor, gradient: Tensor, state: State, lr: float, o: argparse.Namespace) -> None:
    """Loshchilov and Hutter 2019, algorithm 2."""
    for name in ("m", "v", "t"):
        state.setdefault(name, torch.zeros_like(weight) if name != "t" else torch.zeros(()))
    m, v, t = state["m"], state["v"], state["t"]
    t += 1
    m.copy_(0.9 * m + 0.1 * gradient)
    v.copy_(0.999 * v + 0.001 * gradient**2)
    weight -= lr * ((m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8) + o.decay * weight)


def muon_step(weight: Tensor, gradient: Tensor, state: State, lr: float, o: argparse.Namespace) -> None:
    """Jordan et al. 2024 for each gate, by a singular value decomposition; AdamW for other weights."""
    if weight.shape != (4 * WIDTH, WIDTH):
        adamw_step(weight, gradient, state, lr, o)
        return
    m = state.setdefault("m", torch.zeros_like(weight))
    m.copy_(o.momentum * m + (1 - o.momentum) * gradient)
    direction = o.momentum * m + (1 - o.momentum) * gradient
    for gate, part in zip(weight.chunk(4), direction.chunk(4), strict=True):
        u, _, v = torch.linalg.svd(part, full_matrices=False)
        gate -= lr * (0.2 * math.sqrt(WIDTH) * (u @ v) + o.decay * gate)


STEPS: dict[str, Callable[..., None]] = {"lion": lion_step, "adamw": adamw_step, "muon": muon_step}


def perplexity(model: PlainModel, batches: list, unknown: int) -> float:
    """Return exp of the mean loss over known characters."""
    nats, count = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            known = batch.targets[batch.targets >= 0] != unknown
            losses = model.nats(batch.inputs, batch.targets)[known]
            nats, count = nats + losses.sum().item(), count + len(losses)
    return math.exp(nats / count)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Repeats a run of docs/study.md.")
    parser.add_argument("optimizer", choices=STEPS)
    for name, default in (("lr", 0.01), ("decay", 0.0), ("momentum", 0.95), ("seed", 0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    data = TangDataModule(
        8, poems=None, train_poems=3000, dev_poems=300, split_seed=0, oov="singletons", seed=options.seed
    )
    data.setup()
    torch.manual_seed(options.seed)
    model = PlainModel(len(data.tokens))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    states: list[State] = [{} for _ in weights]
    batches = [batch for epoch in range(EPOCHS) for batch in data.batches.train_batches(epoch)]
    for step, batch in enumerate(batches, start=1):
        progress = max(0.0, (step - WARM_UP) / (len(batches) - WARM_UP))
        lr = options.lr * (step / WARM_UP if step < WARM_UP else (1 + math.cos(math.pi * progress)) / 2)
        gradients = torch.autograd.grad(model.nats(batch.inputs, batch.targets).mean(), weights)
        norm = math.sqrt(sum((gradient**2).sum().item() for gradient in gradients))
        with torch.no_grad():
            for weight, gradient, state in zip(weights, gradients, states, strict=True):
                STEPS[options.optimizer](weight, gradient * min(1.0, 1 / norm), state, lr, options)
    sets, unknown = data.batches.evaluation_sets(), data.tokens.index(OOV_TOKEN)
    for name in ("dev", "test"):
        print(f"{name} perplexity of known characters: {perplexity(model, list(sets[name]), unknown):.1f}")


if __name__ == "__main__":
    main()
