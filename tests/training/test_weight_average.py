"""Averaged weights: the average of torch, and what a run scores and keeps of it."""

import copy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tangsweep.checkpoint import load_model
from tangsweep.language_model import LanguageModel, build_language_model
from tangsweep.metrics import METRICS
from tangsweep.runs.folder import RunFolder
from tangsweep.training.parameter_groups import parameter_groups
from tangsweep.training.weight_average import WeightAverage
from tests.conftest import Ran
from tests.training.test_resume import POEMS

Train = Callable[..., Ran]
AVERAGED = (
    *POEMS,
    "trainer.ema_decay=0.9",
    "model.tie_weights=true",
    "data.batch_size=2",
    "trainer.max_epochs=1",
)


def models_of_steps(count: int) -> Iterator[LanguageModel]:
    """Yield one model, whose weights another step has changed each time."""
    sizes = {"embed_size": 4, "hidden_size": 4, "layers": 2, "tie_weights": True}
    model = build_language_model({"name": "lstm"}, sizes, 9).double()
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        for weight in model.parameters():
            weight.data = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        yield model


def averaged_weights(average: WeightAverage, model: LanguageModel) -> list[torch.Tensor]:
    with average.applied_to(model):
        return [weight.detach().clone() for weight in model.parameters()]


def evaluated(average: WeightAverage, *perplexities: float) -> None:
    for value in perplexities:
        average.on_evaluation_end(None, SimpleNamespace(dev=SimpleNamespace(perplexity=value)))  # type: ignore[arg-type]


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_moving_average_is_that_of_torch(decay: float) -> None:
    average, reference = WeightAverage(METRICS["perplexity"], decay, None), None
    for model in models_of_steps(12):
        average.update(model)
        if reference is None:
            reference = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        reference.update_parameters(model)
    assert reference is not None
    for ours, theirs in zip(averaged_weights(average, model), reference.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_the_mean_is_that_of_torch_from_where_the_score_stops_improving() -> None:
    average, reference = WeightAverage(METRICS["perplexity"], None, 2), None
    scores = iter([9.0, 8.0, 8.5, 7.0, 7.5, 7.2, 7.1])  # 7.1 is no better than 7.0
    for step, model in enumerate(models_of_steps(12), start=1):
        average.update(model)
        if step > 7:
            reference = reference or AveragedModel(model)
            reference.update_parameters(model)
        else:
            evaluated(average, next(scores))
        assert average.is_averaging == (step >= 7)
    assert reference is not None
    for ours, theirs in zip(averaged_weights(average, model), reference.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_the_weights_are_back_after_an_evaluation_that_raises() -> None:
    average = WeightAverage(METRICS["perplexity"], 0.9, None)
    for model in models_of_steps(2):
        average.update(model)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError), average.applied_to(model):
        assert not torch.equal(model.output.weight, before["output.weight"])
        assert model.output.weight is model.embedding_weight
        raise RuntimeError
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def averages_in(folder: RunFolder) -> dict[str, Any]:
    averages: dict[str, Any] = torch.load(folder.last, weights_only=True)["callbacks"]["WeightAverage"]
    return averages


def test_a_run_scores_and_keeps_the_average_and_trains_on_with_the_weights(train: Train) -> None:
    plain = train("sweep.name=plain", "trainer.ema_decay=null", base=AVERAGED)
    ran = train("sweep.name=averaged", base=AVERAGED)
    folder = ran.folder
    assert ran.result["status"] == "done", ran.result["error"]
    assert ran.result["best_epoch"] == ran.result["epochs"]
    last = [torch.load(f.last, weights_only=True)["state_dict"] for f in (plain.folder, folder)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])
    best = load_model(folder.best).model.state_dict()
    averages = averages_in(folder)
    assert averages["steps"] == torch.load(folder.last, weights_only=True)["global_step"]
    assert all(torch.equal(best[name], weight) for name, weight in averages["average"].items())
    assert torch.equal(best["output.weight"], best["embedding.weight"])


def test_a_lost_best_checkpoint_is_written_again_with_the_average(train: Train) -> None:
    folder = train(base=AVERAGED).folder
    best = load_model(folder.best).model.state_dict()
    folder.best.unlink()
    folder.result.unlink()
    train(base=AVERAGED)
    assert not list(folder.path.parent.glob("*.old*"))
    again = load_model(folder.best).model.state_dict()
    assert all(torch.equal(best[name], weight) for name, weight in again.items())


def test_without_an_average_a_checkpoint_holds_nothing_of_it(train: Train) -> None:
    folder = train(base=POEMS).folder
    assert "WeightAverage" not in torch.load(folder.last, weights_only=True)["callbacks"]


def test_vectors_are_spared_from_decay_where_that_is_asked_for() -> None:
    model = next(models_of_steps(1))
    everything, (matrices, vectors) = parameter_groups(model), parameter_groups(model, "matrices")
    assert len(everything) == 1
    assert {weight.ndim for weight in matrices["params"]} == {2}
    assert {weight.ndim for weight in vectors["params"]} == {1}
    assert vectors["weight_decay"] == 0
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))
