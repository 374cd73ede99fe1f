"""Which values make sense whatever the task: checked in a second, before any heavy import."""

from collections.abc import Mapping
from typing import Any

from tangsweep.config import rules
from tangsweep.config.identity import flatten
from tangsweep.config.rules import Rule, one_of, or_null
from tangsweep.errors import UserError
from tangsweep.runs.state import RERUN

CHOSEN = (  # the name of a file in conf/ chooses
    "corpus", "data", "cell", "model", "init", "optimizer", "scheduler", "trainer", "logger",
)  # fmt: skip
GROUPS = (*CHOSEN, "sweep", "poems", "samples", "published")

READS_TIMES = ("phased_lstm",)  # cells whose output depends on time stamps
FORGETS = ("lstm", "numpy_lstm", "phased_lstm")  # cells with a forget gate
BETTER = {"perplexity": "min", "loss": "min", "accuracy": "max"}

OF_THE_COMMAND = (
    "plan",
    "rerun",
    "extend",
    "fail_fast",
    "unlock",
    "report",
)  # what it does, not what a run is
ALONE = ("seed", *OF_THE_COMMAND)

RULES: dict[str, Rule] = {
    "seed": rules.NATURAL,
    "rerun": one_of(*RERUN),
    "plan": rules.FLAG,
    "extend": rules.FLAG,
    "fail_fast": rules.FLAG,
    "unlock": rules.FLAG,
    "report": rules.FLAG,
    "sweep.name": or_null(rules.FOLDER),
    "sweep.question": or_null(rules.TEXT),
    "corpus.primary.metric": one_of(*BETTER),
    "corpus.primary.mode": one_of("min", "max"),
    "data.batch_size": rules.COUNT,
    "cell.name": rules.TEXT,
    "model.input": one_of("embedding", "one_hot", "reals"),
    "model.embed_size": rules.COUNT,
    "model.hidden_size": rules.COUNT,
    "model.layers": rules.COUNT,
    "model.dropout": rules.DROPOUT,
    "model.tie_weights": rules.FLAG,
    "model.pretrained_embeddings": or_null(rules.TEXT),
    "init.forget_bias": rules.NUMBER,
    "optimizer.lr": rules.POSITIVE,
    "trainer.accelerator": one_of("cpu", "gpu"),
    "trainer.precision": one_of("32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"),
    "trainer.max_epochs": or_null(rules.COUNT),
    "trainer.max_steps": or_null(rules.COUNT),
    "trainer.val_every": or_null(rules.COUNT),
    "trainer.gradient_clip_val": or_null(rules.POSITIVE),
    "trainer.patience": or_null(rules.COUNT),
    "trainer.give_up": rules.FLAG,
    "trainer.threads": rules.COUNT,
    "trainer.log_every": rules.COUNT,
}
OPTIONAL: dict[str, Rule] = {  # keys of some files of a group only
    "logger.mode": or_null(one_of("online", "offline", "disabled")),
    "optimizer.weight_decay": rules.NOT_NEGATIVE,
    "optimizer.momentum": rules.NOT_NEGATIVE,
    "optimizer.alpha": rules.OPEN_SHARE,
    "optimizer.rho": rules.OPEN_SHARE,
    "optimizer.betas": rules.BETAS,
    "scheduler.gamma": rules.POSITIVE,
    "scheduler.eta_min": rules.NOT_NEGATIVE,
    "corpus.primary.solved": or_null(rules.POSITIVE),
    "corpus.primary.hopeless": or_null(rules.POSITIVE),
}
# The options of each cell; `cells/named.py` builds them (torch is not imported here).
CELLS: dict[str, dict[str, Rule]] = {
    "lstm": {"cell.kernel": one_of("auto", "torch", "native")},
    "numpy_lstm": {},
    "gru": {},
    "rnn": {"cell.nonlinearity": one_of("tanh", "relu", "leaky_relu")},
    "phased_lstm": {
        "cell.r_on": rules.OPENING,
        "cell.learn_r_on": rules.FLAG,
        "cell.alpha": rules.NOT_NEGATIVE,
        "cell.period": or_null(rules.POSITIVE),
        "cell.period_exponents": rules.RANGE,
        "cell.peepholes": rules.FLAG,
    },
}


def check(config: Mapping[str, Any]) -> None:
    """Raises UserError, naming key, value and what it must be, for the first value without sense."""
    for group in GROUPS:
        if not isinstance(config.get(group), Mapping):
            which = f"choose one of conf/{group}/" if group in CHOSEN else "it is a group of keys"
            raise UserError(f"{group}={rules.shown(config.get(group))} makes no sense: {which}")
    for key in config:
        if key not in (*GROUPS, *ALONE):
            raise UserError(f"{key} does not exist; there are: {', '.join((*ALONE, *GROUPS))}")
    values = dict(flatten(config))
    rules.hold(RULES, values)
    rules.hold({key: rule for key, rule in OPTIONAL.items() if key in values}, values)
    _check_cell(values)
    _check_primary(values)
    if values["model.tie_weights"] and (
        values["model.input"] != "embedding" or values["model.embed_size"] != values["model.hidden_size"]
    ):
        raise UserError(
            "model.tie_weights=true needs embeddings as wide as the hidden state: "
            f"set model.embed_size={values['model.hidden_size']} and model.input=embedding"
        )
    if values["trainer.max_epochs"] is None and values["trainer.max_steps"] is None:
        raise UserError("nothing ends the run: set trainer.max_epochs or trainer.max_steps")
    if values.get("scheduler.T_max", 0) is None:
        raise UserError("scheduler=cosine needs trainer.max_epochs: set it, or scheduler=none")


def _check_cell(values: Mapping[str, Any]) -> None:
    name = values["cell.name"]
    if name not in CELLS:
        raise UserError(f"cell.name={name} does not exist; there are: {', '.join(CELLS)}")
    rules.hold(CELLS[name], values)
    for key in values:
        if key.startswith("cell.") and key != "cell.name" and key not in CELLS[name]:
            raise UserError(f"{key} does not exist for cell={name}")
    if values["init.forget_bias"] and name not in FORGETS:
        raise UserError(
            f"init.forget_bias={values['init.forget_bias']} needs a forget gate, and cell={name} has none: "
            "set it to 0"
        )
    precision = values["trainer.precision"]
    if name in READS_TIMES and precision in ("bf16-true", "16-true"):
        raise UserError(
            f"trainer.precision={precision} is too coarse for the time stamps of cell={name}: "
            "take 32-true or a mixed precision"
        )
    if values.get("cell.kernel") == "native" and (
        values["trainer.accelerator"] != "cpu" or precision in ("bf16-true", "16-true")
    ):
        raise UserError(
            f"cell.kernel=native computes on the CPU in 32 or 64 bits, not with {precision} on the "
            f"{values['trainer.accelerator']}: take cell.kernel=auto"
        )
    if values.get("cell.learn_r_on") and values["cell.r_on"] == 1:
        raise UserError("cell.r_on=1 cannot be learned: start below 1, or set cell.learn_r_on=false")


def _check_primary(values: Mapping[str, Any]) -> None:
    metric, mode = values["corpus.primary.metric"], values["corpus.primary.mode"]
    if BETTER[metric] != mode:
        raise UserError(f"corpus.primary.mode={mode} is the wrong way for {metric}: set {BETTER[metric]}")
    if values["trainer.give_up"] and values.get("corpus.primary.hopeless") is None:
        raise UserError("trainer.give_up=true needs corpus.primary.hopeless: from which score on to go on")
