"""What optimizers cost beside the gradients: time of an update and of a step, memory of their state."""

import pandas as pd

from tangsweep.reporting.analysis.ranking import Ranking
from tangsweep.reporting.blocks import Section, Table
from tangsweep.reporting.data.collect import SweepData
from tangsweep.reporting.formatting import MISSING, format_quantity, format_two_decimals

MEASURES = ("update_ms", "step_ms", "state_bytes")
HEADINGS = [
    "group", "ms per update", "relative to SGD", "ms per step", "relative to SGD ", "kB of state",
]  # fmt: skip
NOTE = (
    "Medians over the group's runs. An update changes all weights once, timed on a copy of the model when "
    "training has ended; a step is everything that training does for one batch, evaluation aside. Optimizers "
    "differ by their updates alone: where steps differ by more, the machine was busier while those runs "
    "trained. State: what the optimizer keeps beside the weights, such as momenta."
)


def cost_section(data: SweepData, ranking: Ranking) -> Section | None:
    """Return the table of costs; None where optimizers are not varied or no record has them."""
    table = cost_table(data, ranking)
    if table["optimizer"].nunique() < 2 or table["update_ms"].isna().all():
        return None
    plain = table[table["is_sgd"]]
    base = plain.iloc[0] if len(plain) else None
    rows = []
    for _, cost in table.iterrows():
        rows.append(
            [
                str(cost["group"]),
                _format_ms(cost["update_ms"]),
                _relative(cost, base, "update_ms"),
                _format_ms(cost["step_ms"]),
                _relative(cost, base, "step_ms"),
                MISSING
                if pd.isna(cost["state_bytes"])
                else format_quantity(round(cost["state_bytes"] / 1000)),
            ]
        )
    csv = table.drop(columns="is_sgd")
    return Section("Cost", [Table(HEADINGS, rows, NOTE)], {"cost": csv})


def cost_table(data: SweepData, ranking: Ranking) -> pd.DataFrame:
    """Return one row per group: optimizer, whether it is SGD without momentum, medians over its runs."""
    rows = []
    for group in ranking.groups:
        runs = ranking.comparable.runs
        names = [run for run in runs.loc[runs["group"] == group.name, "run"] if run in data.records]
        if not names:
            continue
        config = data.configs[names[0]]
        optimizer = str(config.get("optimizer._target_")).rpartition(".")[2]
        momentum = config.get("optimizer.momentum") or 0
        costs = [cost.model_dump() for run in names if (cost := data.records[run].cost)]
        medians = pd.DataFrame(costs, columns=list(MEASURES)).astype(float).median()
        is_sgd = optimizer == "SGD" and momentum == 0
        label = f"{optimizer} with momentum" if optimizer == "SGD" and not is_sgd else optimizer
        rows.append([group.name, label, is_sgd, *(medians[measure] for measure in MEASURES)])
    return pd.DataFrame(rows, columns=["group", "optimizer", "is_sgd", *MEASURES])


def _format_ms(value: float) -> str:
    return MISSING if pd.isna(value) else f"{value:.3f}"


def _relative(cost: pd.Series, base: pd.Series | None, measure: str) -> str:
    if base is None or pd.isna(cost[measure]) or pd.isna(base[measure]) or not base[measure]:
        return MISSING
    return f"{format_two_decimals(float(cost[measure] / base[measure]))} ×"
