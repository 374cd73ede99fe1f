"""Chart of a Phased LSTM's time gate: how open some of its units are over time.

python -m tangsweep.plots.time_gate --out gate.png
python -m tangsweep.plots.time_gate --checkpoint outputs/frequency/RUN --out learned.png
"""

import argparse

import altair as alt
import pandas as pd
import torch
from torch import Tensor

from tangsweep.cells.phased_lstm import PhasedLSTM
from tangsweep.checkpoint import load_model
from tangsweep.command_line import run_command
from tangsweep.errors import UserError
from tangsweep.files import user_path
from tangsweep.inits import parameter_generator
from tangsweep.plots.save import chart_path, save_chart

HIDDEN_SIZE = 110  # of an untrained cell, as in the paper
GRID_POINTS = 2_000


def main() -> None:
    arguments = time_gate_arguments()
    out = chart_path(arguments.out)
    if arguments.units < 1 or arguments.until <= 0:
        raise UserError("--units must be at least 1, --until above 0")
    if arguments.checkpoint:
        cell = trained_phased_lstm(arguments.checkpoint)
    else:
        cell = new_phased_lstm(arguments.seed)
    openness = openness_over_time(cell, arguments.units, arguments.until)
    save_chart(time_gate_chart(openness), out, scale_factor=2)


def time_gate_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw how open units of a Phased LSTM are over time.")
    parser.add_argument(
        "--units", type=int, default=5, help="units, from the shortest period to the longest (5)"
    )
    parser.add_argument("--until", type=float, default=60.0, help="end of the time axis (60)")
    parser.add_argument("--seed", type=int, default=0, help="seed of a new cell's periods (0)")
    parser.add_argument("--checkpoint", help="a checkpoint or a run's folder, instead of a new cell")
    parser.add_argument("--out", default="gate.png", help="a .png, .svg or .html file (gate.png)")
    return parser.parse_args()


def new_phased_lstm(seed: int) -> PhasedLSTM:
    """Return an untrained cell with the periods and shifts of a run's first layer, given the run's seed."""
    cell = PhasedLSTM(1, HIDDEN_SIZE)
    parameters = dict(cell.named_parameters())
    with torch.no_grad():
        for name, initialize in cell.initializers.items():
            if name in parameters:
                initialize(parameters[name], parameter_generator(seed, f"cells.0.{name}"))
    return cell


def trained_phased_lstm(checkpoint: str) -> PhasedLSTM:
    """Return the first layer of a checkpoint or a run. Raises UserError where it is not a Phased LSTM."""
    cell = load_model(user_path(checkpoint)).model.cells[0]
    if not isinstance(cell, PhasedLSTM):
        raise UserError(f"{checkpoint} has no time gate: name a run of cell=phased_lstm")
    return cell


@torch.no_grad()
def openness_over_time(cell: PhasedLSTM, units: int, until: float) -> pd.DataFrame:
    """Return k over time of `units` units, with evenly spaced ranks in the order of their periods.

    The columns are `unit`, `time` and `k`.
    """
    cell.eval()
    period = cell.log_period.exp()
    ranks = torch.linspace(0, len(period) - 1, min(units, len(period))).round().long()
    selected = period.argsort()[ranks]
    times = _sample_times(cell, selected, until)
    k = cell.openness(times)[:, selected]
    frames = [
        pd.DataFrame(
            {
                "unit": f"unit {unit}, period {period[unit]:.1f}",
                "time": times.numpy(),
                "k": k[:, column].numpy(),
            }
        )
        for column, unit in enumerate(selected.tolist())
    ]
    return pd.concat(frames, ignore_index=True)


def _sample_times(cell: PhasedLSTM, units: Tensor, until: float) -> Tensor:
    """Return an even grid and the instants at which a gate begins to open, is widest, and is closed again."""
    period, shift = cell.log_period.exp()[units], cell.shift[units]
    r_on = torch.as_tensor(cell.r_on if cell.r_on_logit is None else cell.r_on_logit.sigmoid()[units])
    cycles = torch.arange(-1, int(until / period.min()) + 2)[:, None]
    starts = shift + cycles * period
    corners = [starts + share * r_on * period for share in (0.0, 0.5, 1.0)]
    grid = torch.linspace(0, until, GRID_POINTS)
    times: Tensor = torch.unique(torch.cat([grid, *(c.flatten() for c in corners)]))
    return times[(times >= 0) & (times <= until)]


def time_gate_chart(openness: pd.DataFrame) -> alt.Chart:
    """Return an area of k over time for each unit, one below the other."""
    units = list(dict.fromkeys(openness["unit"]))
    header = alt.Header(labelAngle=0, labelAlign="left")
    chart: alt.Chart = (
        alt.Chart(openness)
        .mark_area(line={"strokeJoin": "round"}, opacity=0.4)
        .encode(
            x=alt.X("time:Q", title="time"),
            y=alt.Y("k:Q", title="k", scale=alt.Scale(domain=[0, 1])),
            row=alt.Row("unit:N", sort=units, title=None, header=header),
            color=alt.Color("unit:N", sort=units, legend=None),
        )
        .properties(width=560, height=60, title="How open units of a Phased LSTM are over time (k)")
    )
    return chart


if __name__ == "__main__":
    run_command(main)
