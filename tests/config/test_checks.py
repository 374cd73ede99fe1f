import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tangsweep.cells.registry import CELLS
from tangsweep.config.cell_options import CellOptions
from tangsweep.config.options import Options
from tangsweep.config.run_config import RunConfig
from tangsweep.errors import UserError
from tangsweep.files import REPOSITORY
from tangsweep.tasks.registry import TASKS, load_task, parse_config
from tests.conftest import configured, parsed


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "conf" / "corpus").glob("*.yaml")), ids=lambda p: p.stem
)
@pytest.mark.parametrize("cell", ["lstm", "rnn", "gru", "phased_lstm"])
def test_the_defaults_are_valid(path: Path, cell: str) -> None:
    assert parsed(f"corpus={path.stem}", f"cell={cell}").cell.name == cell


WRONG = {
    "seed": ["-1", "null", "1.5", "true"],
    "rerun": ["some"],
    "unlock": ["5"],
    "fail_fast": ["5"],
    "pause_at": ["0", "some"],
    "search.trials": ["0", "many"],
    "search.sampler": ["best"],
    "search.startup": ["-1"],
    "search.seed": ["-1"],
    "search.seeds": ["[-1]"],
    "search.eta": ["0", "null"],
    "search.min_epochs": ["0"],
    "search.at_once": ["0"],
    "search.known": ["[3]"],
    "plan": ["5"],
    "extend": ["5"],
    "data.poems": ["0", "-3", "1.5", "many"],
    "data.duplicates": ["maybe"],
    "data.min_chars": ["0"],
    "data.max_chars": ["0", "null"],
    "data.long": ["wrap"],
    "data.punctuation": ["some"],
    "data.min_freq": ["0"],
    "data.split": ["random"],
    "data.train_fraction": ["0", "1", "1.2", "half"],
    "data.train_poems": ["0"],
    "data.dev_poems": ["-1"],
    "data.pool": ["0"],
    "data.test_poems": ["-1", "null"],
    "data.test_after": ["-1"],
    "data.oov": ["always"],
    "data.split_seed": ["1.5"],
    "data.pad": ["none"],
    "data.score_pads": ["3"],
    "data.batch_size": ["0", "-1"],
    "model.embed_size": ["0"],
    "model.hidden_size": ["0"],
    "model.layers": ["0"],
    "model.dropout": ["1", "-0.1", "nan"],
    "model.sequence_dropout": ["5"],
    "model.embedding_dropout": ["1"],
    "model.recurrent_dropout": ["-0.1"],
    "model.output_size": ["0"],
    "init.forget_bias": ["big"],
    "optimizer.lr": ["0", "-0.1", "inf", "fast"],
    "trainer.max_epochs": ["0"],
    "trainer.max_steps": ["0"],
    "trainer.gradient_clip_val": ["0", "-1"],
    "trainer.patience": ["0"],
    "trainer.threads": ["0"],
    "trainer.log_every": ["0"],
    "poems.lines": ["0"],
    "poems.quality": ["1"],
    "report": ["1"],
    "wandb_sweep": ["5"],
    "sweep.question": ["5"],
    "sweep.compare": ["optimizer", "[5]"],
    "confirm.seeds": ["5", "[-1]", "[1.5]"],
    "order_seed": ["-1", "1.5"],
    "poems.starts": ["5", "null"],
    "poems.forms": ["5", "[{chars:5}]", "[{chars:0,temperature:1}]", "[{chars:5,temperature:-1}]"],
    "corpus.root": ["5"],
    "corpus.url": ["5"],
    "corpus.verify": ["maybe"],
    "sweep.name": ["../x", "a/b", "5", ".hidden"],
    "logger.also": ["5", "[5]"],
    "logger.mode": ["foo"],
    "logger.project": ["5"],
    "logger.entity": ["5"],
    "model.pretrained_embeddings": ["5"],
    "trainer.accelerator": ["tpu"],
    "trainer.precision": ["8"],
    "trainer.val_every": ["10"],
    "trainer.give_up": ["1"],
    "trainer.loss": ["max", "null"],
    "trainer.ema_decay": ["1", "-0.1"],
    "trainer.average_after": ["0", "1.5"],
    "corpus.primary.metric": ["beauty"],
    "corpus.primary.mode": ["up"],
    "cell.name": ["null"],
    "model.input": ["reals", "x"],
    "model.tie_weights": ["1"],
}
WRONG_ELSEWHERE = {
    "corpus=palindromes": {
        "corpus.length": ["1", "0", "null", "2.5"],
        "corpus.curriculum": ["-1", "null"],
        "corpus.primary.solved": ["0", "-1"],
        "corpus.primary.hopeless": ["0", "-1"],
        "data.dev_size": ["0"],
        "model.input": ["reals"],
        "trainer.val_every": ["null", "0"],
    },
    "corpus=frequency": {
        "corpus.sampling": ["often"],
        "corpus.time_input": ["5"],
        "data.dev_size": ["0"],
        "model.input": ["embedding"],
        "trainer.val_every": ["null"],
    },
    "corpus=book": {
        "corpus.name": ["null", "5"],
        "corpus.path": ["5"],
        "corpus.root": ["5"],
        "corpus.verify": ["5"],
        "corpus.strip_license": ["maybe"],
        "data.seq_len": ["0"],
        "data.windows": ["all"],
        "data.dev_fraction": ["0", "1"],
        "data.test_fraction": ["-0.1", "1"],
        "data.oov": ["always"],
        "data.min_freq": ["0"],
        "model.input": ["reals"],
        "trainer.val_every": ["null"],
        "samples.every": ["0"],
        "samples.length": ["0"],
        "samples.temperatures": ["1", "[-1]"],
        "samples.prompts": ["1", "[5]"],
        "samples.prompt_temperature": ["-1"],
    },
    "cell=rnn": {"cell.nonlinearity": ["sine"]},
    "cell=lstm": {"cell.kernel": ["cuda"]},
    "optimizer=adam": {"optimizer.weight_decay": ["-1"], "optimizer.betas": ["[2,3]", "0.9"]},
    "optimizer=rmsprop": {
        "optimizer.momentum": ["-1"],
        "optimizer.alpha": ["2"],
        "optimizer.kernel": ["native", "true"],
    },
    "optimizer=adamw": {"optimizer.decay": ["none"]},
    "optimizer=adadelta": {"optimizer.rho": ["-0.1"]},
    "scheduler=exponential": {"scheduler.gamma": ["0"]},
    "scheduler=cosine": {"scheduler.eta_min": ["-1"]},
    "cell=phased_lstm": {
        "cell.r_on": ["0", "1.1", "-0.1"],
        "cell.learn_r_on": ["5"],
        "cell.alpha": ["-1"],
        "cell.period": ["0", "-2"],
        "cell.period_exponents": ["3", "[3.0,1.0]", "[1.0]"],
        "cell.peepholes": ["5"],
    },
}
TRIED = [("corpus=tang", k, v) for k, values in WRONG.items() for v in values]
TRIED += [(b, k, v) for b, wrong in WRONG_ELSEWHERE.items() for k, values in wrong.items() for v in values]


UNTRIED = ("_target_", "_partial_", "scheme", "sweep.varied", "sweep.stands_in", "corpus.task", "published.")


def keys_of(group: type[Options], prefix: str) -> set[str]:
    """Every key that a group declares, those of nested groups too."""
    keys = set()
    for name, field in group.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        nested = field.annotation
        is_group = isinstance(nested, type) and issubclass(nested, Options)
        keys |= keys_of(nested, f"{key}.") if is_group else {key}
    return {key for key in keys if not any(part in key for part in UNTRIED)}


def test_every_key_is_tried() -> None:
    """No key is declared without a wrong value above that its type refuses."""
    tried = {key for _, key, _ in TRIED}
    shared = keys_of(RunConfig, "") - {"corpus", "data", "cell"}
    assert {
        key for key in shared if key.partition(".")[0] not in ("corpus", "data", "cell", "samples")
    } <= tried
    for spec in CELLS.values():
        assert keys_of(spec.options, "cell.") <= tried
    for name in TASKS:
        task = load_task(name)
        base = "corpus=tang" if name == "poems" else f"corpus={name}"
        own = {key for b, key, _ in TRIED if b == base} | {"corpus.name", "data.batch_size"}
        own |= {key for b, key, _ in TRIED if b == "corpus=tang" and "primary" in key}
        own |= {"corpus.primary.solved", "corpus.primary.hopeless"}
        assert keys_of(task.corpus_options, "corpus.") | keys_of(task.data_options, "data.") <= own


@pytest.mark.parametrize(("base", "key", "value"), TRIED)
def test_an_invalid_value_is_named(base: str, key: str, value: str) -> None:
    shown = ".*" if value[0] == "[" else re.escape(value)
    with pytest.raises(UserError, match=f"^{key}={shown} .*must be"):
        parsed(base, f"{key}={value}")


def test_each_cell_file_holds_the_options_of_its_cell() -> None:
    for path in (REPOSITORY / "conf" / "cell").glob("*.yaml"):
        assert set(yaml.safe_load(path.read_text())) == set(CELLS[path.stem].options.model_fields)


def test_cells_with_a_forget_gate_say_so() -> None:
    for name, spec in CELLS.items():
        module, _, class_name = spec.class_path.rpartition(".")
        cell = getattr(import_module(module), class_name)
        assert spec.options.has_forget_gate == ("f" in cell.gates), name
    assert not CellOptions.has_forget_gate


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("optimizer=null", "optimizer=null is invalid: choose one of"),
        ("+data.poems.a=1", "data.poems={'a': 1} is invalid"),
    ],
)
def test_a_group_or_key_that_is_gone(override: str, complaint: str) -> None:
    config = configured()
    if override.startswith("+"):
        config["data"]["poems"] = {"a": 1}
    else:
        config["optimizer"] = None
    with pytest.raises(UserError, match=complaint):
        parse_config(config)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (["data.max_chars=10", "data.min_chars=20"], "max_chars=10 is below data.min_chars=20"),
        (["trainer.max_epochs=null"], "nothing ends the run"),
        (["data.split=fixed"], "needs data.pool and data.dev_poems"),
        (["data.split=fixed", "data.pool=10", "data.dev_poems=5", "data.poems=11"], "more than data.pool=10"),
        (["cell.name=transformer"], "cell.name=transformer does not exist; there are: .*phased_lstm"),
        (["+cell.r_on=0.5"], "cell.r_on does not exist; cell has: name, kernel"),
        (["cell=phased_lstm", "cell.learn_r_on=true", "cell.r_on=1"], "cannot be learned"),
        (["corpus.task=chess"], "corpus.task=chess does not exist"),
        (["cell=rnn", "init.forget_bias=1"], "init.forget_bias=1 needs a forget gate, and cell=rnn has none"),
        (["cell=phased_lstm", "trainer.precision=bf16-true"], "too coarse for the time stamps"),
        (["corpus.primary.mode=max"], "mode=max is wrong for perplexity: set min"),
        (["trainer.give_up=true"], r"trainer\.give_up=true needs corpus\.primary\.hopeless"),
        (["+published.beauty=1"], r"published\.beauty does not exist; published has: vocabulary"),
        (["corpus=book", "samples.temperatures=[]"], r"samples\.temperatures=\[\] is invalid"),
        (
            ["corpus=palindromes", "data=poems"],
            r"data\.dev_size is missing: this corpus goes with data=stream",
        ),
        (["+foo=bar"], "foo does not exist; there are: corpus"),
        (["optimizer.betas=[2,3]"], r"optimizer\.betas=\[2, 3\] is invalid: it must be two numbers"),
        (["optimizer.weight_decay=-1"], r"optimizer\.weight_decay=-1 is invalid"),
        (["scheduler=exponential", "scheduler.gamma=-3"], r"scheduler\.gamma=-3 is invalid"),
        (["cell=numpy_lstm", "model.input=one_hot"], "cell=numpy_lstm does not support model.input=one_hot"),
        (["model=one_hot", "model.pretrained_embeddings=x.txt"], "needs model.input=embedding"),
    ],
)
def test_values_that_do_not_fit_together(overrides: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        parsed(*overrides)
