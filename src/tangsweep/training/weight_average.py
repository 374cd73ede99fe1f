"""Averages of the weights over optimizer steps: what is scored and kept instead of the weights themselves.

Three kinds. An exponential moving average gives the weights of a step `decay` times as much as those of the
step after it (Polyak and Juditsky 1992; torch.optim.swa_utils.get_ema_multi_avg_fn). A plain mean begins when
the development score stops getting better: NT-ASGD (Merity, Keskar and Socher 2018, section 3). Some
optimizers keep an average themselves: Schedule-Free AdamW (Defazio et al. 2024,
https://arxiv.org/abs/2405.15682) trains at one point and is to be scored at another.
"""

import contextlib
from collections.abc import Iterator

import pytorch_lightning as L
import torch
from torch import Tensor, nn

from tangsweep.metrics import Metric
from tangsweep.training.averaging_optimizer import AveragingOptimizer, average_of_optimizer
from tangsweep.training.metrics_callback import Evaluation
from tangsweep.training.step_groups import StepGroupModule

AVERAGED_WEIGHTS = "average"  # their name in the callback's state


class WeightAverage(L.Callback):
    """Keeps an average of a model's weights, and exchanges the two for an evaluation or a checkpoint.

    Args:
        metric: the development score that begins a plain mean.
        decay: that of an exponential moving average, from the first step on; None: no such average.
        patience: a plain mean begins after the evaluation that is no better than any before the last
            `patience` ones; None: none begins. The score until then is that of the weights themselves.
    """

    def __init__(self, metric: Metric, decay: float | None, patience: int | None) -> None:
        self.metric, self.decay, self.patience = metric, decay, patience
        self.steps = 0  # in the average
        self.scores: list[float] = []  # sort keys of all evaluations: less is better
        self.is_averaging = decay is not None
        self.average: dict[str, Tensor] = {}  # by the parameter's name; empty before the first step of it
        self.optimizer: AveragingOptimizer | None = None  # that keeps the average itself

    @property
    def is_used(self) -> bool:
        """Whether a run has an average, now or from some epoch on."""
        return self.decay is not None or self.patience is not None or self.optimizer is not None

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights after an optimizer step into the average."""
        if not self.is_averaging:
            return
        weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self.steps += 1
        if self.steps == 1:
            self.average = {name: weight.clone() for name, weight in weights.items()}
            return
        share = 1 - self.decay if self.decay is not None else 1 / self.steps
        torch._foreach_lerp_(list(self.average.values()), list(weights.values()), share)

    @contextlib.contextmanager
    def applied_to(self, model: nn.Module) -> Iterator[None]:
        """Exchange the weights of `model` for their average, where there is one, until the block ends."""
        self.put_into(model)
        try:
            yield
        finally:
            self._exchange(model)

    def put_into(self, model: nn.Module) -> None:
        """Exchange the weights of `model` for their average, where there is one."""
        if self.optimizer is not None:
            self.average = average_of_optimizer(self.optimizer, model)
        self._exchange(model)

    def _exchange(self, model: nn.Module) -> None:
        parameters = dict(model.named_parameters())
        for name, average in self.average.items():
            parameters[name].data, self.average[name] = average, parameters[name].data

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Follow every optimizer step; bring an average from a checkpoint to where the weights are."""
        assert isinstance(pl_module, StepGroupModule)
        [optimizer] = trainer.optimizers
        if isinstance(optimizer, AveragingOptimizer):
            self.optimizer = optimizer
        elif self.is_used:
            pl_module.after_update.append(self.update)
        self.average = {name: average.to(pl_module.device) for name, average in self.average.items()}

    def on_evaluation_end(self, trainer: L.Trainer, evaluation: Evaluation) -> None:
        """Begin a plain mean where the score is no better than it was `patience` evaluations ago."""
        self.scores.append(self.metric.sort_key(getattr(evaluation.dev, self.metric.name)))
        if self.patience is not None and not self.is_averaging:
            earlier = self.scores[: -1 - self.patience]
            self.is_averaging = bool(earlier) and self.scores[-1] >= min(earlier)

    def state_dict(self) -> dict[str, object]:
        """Return the state at an evaluation's end; empty without an average, as checkpoints were before."""
        if not self.is_used:
            return {}
        names = ("steps", "scores", "is_averaging", AVERAGED_WEIGHTS)
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)
