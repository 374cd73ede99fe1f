"""Time a training step of the NumPy LSTM against torch.nn.LSTM's (peer.py), and NumPy's whole epoch.

    python benchmarks/numpy_step.py [POEMS]      (default 5000; the bundled sample has fewer)

Batch size 1, E = H = 64, momentum, one thread. Both have the same sequences and initial weights and take
turns.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import corpus
import threadpoolctl
import torch
from peer import TorchLanguageModel, torch_model_like
from torch import Tensor

from tangsweep.batches.batch import Batch
from tangsweep.batches.poems import PaddedSequences, longest_first
from tangsweep.inits import initialize, uniform_scaled
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.training import numpy_bridge

PAIRS = 100
SIZES: dict[str, Any] = {"embed_size": 64, "hidden_size": 64, "layers": 1, "dropout": 0.0}


def timed_step(loss: Callable[..., Tensor], optimizer: torch.optim.Optimizer) -> Callable[[Batch], float]:
    def step(batch: Batch) -> float:
        start = time.perf_counter()
        optimizer.zero_grad()
        loss(batch.inputs, batch.targets).backward()
        optimizer.step()
        return time.perf_counter() - start

    return step


def equal_models(vocabulary: int) -> tuple[LanguageModel, TorchLanguageModel]:
    """Return the NumPy model and torch's, with equal weights."""
    model = build_language_model({"name": "lstm"}, SIZES, vocabulary)
    initialize(model, uniform_scaled, 0.0, seed=0)
    peer = torch_model_like(model, vocabulary, SIZES["embed_size"], SIZES["hidden_size"])
    return numpy_bridge.NumpyLanguageModel(model), peer


def main() -> None:
    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    name, encoded = corpus.encoded(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, "keep", 60)
    ours, theirs = equal_models(len(encoded.vocabulary))
    settings = {"_target_": "torch.optim.SGD", "lr": 0.01, "momentum": 0.9}
    make_optimizer = numpy_bridge.numpy_optimizer_factory(settings)
    by_numpy = timed_step(lambda *b: ours.loss(*b)[0].mean, make_optimizer(ours.parameters()))
    by_torch = timed_step(theirs.loss, torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9))
    resident = PaddedSequences(encoded.train, None, False)
    rows = longest_first(resident).order
    singles = [resident.batch(row[i : i + 1]) for row in rows for i in range(len(row))]
    stride = max(1, len(singles) // PAIRS)
    pairs = [(by_numpy(batch), by_torch(batch)) for batch in singles[::stride][:PAIRS]]
    milliseconds = [statistics.median(side) * 1e3 for side in zip(*pairs, strict=True)]
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"corpus {name}: {len(singles):,} training sequences, V = {len(encoded.vocabulary):,}, one thread")
    print(f"a step, median of {len(pairs)}: NumPy {milliseconds[0]:.2f} ms, torch {milliseconds[1]:.2f} ms")
    print(f"NumPy's step takes {ratio:.2f} times torch's (median of the pairs' ratios)")
    print(f"NumPy's steps over the whole epoch, batch 1: {sum(map(by_numpy, singles)):.1f} s")


if __name__ == "__main__":
    main()
