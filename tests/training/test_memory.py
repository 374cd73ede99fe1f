"""The memory that a model needs is computed beforehand, and is that of the model."""

import pytest
import torch

from tangsweep import machine
from tangsweep.cells.registry import CELLS
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError
from tangsweep.language_model import build_language_model
from tangsweep.training.memory import check_memory, count_weights, least_memory
from tangsweep.training.optimizer_factories import optimizer_factories
from tests.conf.test_every_file import CONF
from tests.conftest import parsed

SIZES = ("model.embed_size=5", "model.hidden_size=7", "model.layers=3")
INPUTS, OUTPUTS = 11, 13


def matrices(config: AnyConfig, inputs: int, outputs: int) -> int:
    """Count the weights of the model itself that are in matrices."""
    model = build_language_model(config.plain["cell"], config.plain["model"], inputs, outputs)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.ndim == 2)


@pytest.mark.parametrize(
    "overrides",
    [
        *([f"cell={name}", *SIZES] for name in ("rnn", "gru", "lstm", "phased_lstm")),
        ["cell=numpy_lstm", *SIZES[:2]],
        ["model=one_hot", *SIZES],
        ["corpus=frequency", *SIZES],
        ["model.output_size=6", *SIZES],
        ["model.output_size=5", "model.tie_weights=true", *SIZES],
    ],
    ids=" ".join,
)
def test_as_many_weights_as_the_model_has(overrides: list[str]) -> None:
    config = parsed(*overrides)
    outputs = INPUTS if config.model.tie_weights else OUTPUTS
    assert count_weights(config, INPUTS, outputs) == matrices(config, INPUTS, outputs)


def test_every_cell_is_tried_above() -> None:
    assert set(CELLS) == {"rnn", "gru", "lstm", "phased_lstm", "numpy_lstm"}


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml")))
def test_the_state_of_every_optimizer_counts(name: str) -> None:
    config = parsed(f"optimizer={name}", *SIZES)
    parameter = torch.nn.Parameter(torch.zeros(1000, 1))
    parameter.grad = torch.ones(1000, 1)
    groups = [{"params": [parameter], "blocks": 1}]  # of a cell, as Muon takes it; others do not look at it
    optimizer = optimizer_factories(config).make_optimizer(groups)
    optimizer.step()
    state = sum(
        value.numel() == 1000 for value in optimizer.state[parameter].values() if hasattr(value, "numel")
    )
    weights = count_weights(config, INPUTS, OUTPUTS)
    assert least_memory(config, INPUTS, OUTPUTS) == 4 * weights * (2 + state)


def test_precision_and_device_count() -> None:
    config = parsed(*SIZES)
    whole = least_memory(config, INPUTS, OUTPUTS)
    assert least_memory(parsed("trainer.precision=64-true", *SIZES), INPUTS, OUTPUTS) == 2 * whole
    assert least_memory(parsed("trainer.precision=bf16-true", *SIZES), INPUTS, OUTPUTS) == whole / 2
    assert least_memory(parsed("trainer=gpu", *SIZES), INPUTS, OUTPUTS) == whole / 4


def test_a_model_is_refused_where_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parsed(*SIZES)
    needed = least_memory(config, INPUTS, OUTPUTS)
    monkeypatch.setattr(machine, "free_memory", lambda: needed)
    check_memory(config, INPUTS, OUTPUTS)
    monkeypatch.setattr(machine, "free_memory", lambda: needed - 1)
    check_memory(config)  # before the corpus is read
    with pytest.raises(
        UserError, match=r"lower model\.hidden_size=7, model\.layers=3 or model\.embed_size=5$"
    ):
        check_memory(config, INPUTS, OUTPUTS)
