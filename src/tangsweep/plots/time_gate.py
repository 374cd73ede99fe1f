"""The time gate of a Phased LSTM as a picture.

python -m tangsweep.cells gate --out gate.png
python -m tangsweep.cells gate --checkpoint outputs/frequency/RUN --out learned.png
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from tangsweep.cells.phased_lstm import PhasedLSTM
from tangsweep.errors import UserError
from tangsweep.files import user_path

POINTS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tangsweep.cells", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("gate", help="how open some units are over time")
    command.add_argument(
        "--units", type=int, default=5, help="how many, from the shortest period to the longest (5)"
    )
    command.add_argument("--until", type=float, default=60.0, help="time units (60)")
    command.add_argument("--seed", type=int, default=0, help="of the periods of a new cell (0)")
    command.add_argument(
        "--checkpoint", help="a trained model's first layer instead: a run's folder or a checkpoint"
    )
    command.add_argument("--out", default="gate.png", help="a .png, .svg or .html file (gate.png)")
    options = parser.parse_args()
    if options.units < 1 or options.until <= 0:
        parser.error("--units must be at least 1, --until above 0")
    try:
        cell = trained(options.checkpoint) if options.checkpoint else new(options.seed)
        draw(openness(cell, options.units, options.until), Path(options.out))
    except UserError as error:
        parser.error(str(error))
    print(options.out)


def new(seed: int, units: int = 110) -> PhasedLSTM:
    """An untrained cell of the paper's size, with periods drawn from `seed`."""
    cell, generator = PhasedLSTM(1, units), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, start in cell.draws.items():
            if getattr(cell, name) is not None:
                start(getattr(cell, name), generator)
    return cell


def trained(checkpoint: str) -> PhasedLSTM:
    """The first layer of a run. Raises UserError where it is no Phased LSTM."""
    from tangsweep.checkpoint import load_model

    cell = load_model(user_path(checkpoint)).model.cells[0]
    if not isinstance(cell, PhasedLSTM):
        raise UserError(f"{checkpoint} has no time gate: name a run of cell=phased_lstm")
    return cell


@torch.no_grad()
def openness(cell: PhasedLSTM, units: int, until: float) -> pd.DataFrame:
    """k over time of `units` units spread evenly over the order of their periods: unit, time, k."""
    cell.eval()
    period = cell.log_period.exp()
    chosen = period.argsort()[torch.linspace(0, len(period) - 1, min(units, len(period))).round().long()]
    times = _times(cell, chosen, until)
    k = cell.openness(times)[:, chosen]
    frames = [
        pd.DataFrame(
            {
                "unit": f"unit {unit}, period {period[unit]:.1f}",
                "time": times.numpy(),
                "k": k[:, column].numpy(),
            }
        )
        for column, unit in enumerate(chosen.tolist())
    ]
    return pd.concat(frames, ignore_index=True)


def _times(cell: PhasedLSTM, units: torch.Tensor, until: float) -> torch.Tensor:
    """An even grid, and the instants at which a gate begins to open, is widest and is closed again."""
    period, shift = cell.log_period.exp()[units], cell.shift[units]
    r_on = torch.as_tensor(cell.r_on if cell.r_on_logit is None else cell.r_on_logit.sigmoid()[units])
    cycles = torch.arange(-1, int(until / period.min()) + 2)[:, None]
    starts = shift + cycles * period
    corners = [starts + share * r_on * period for share in (0.0, 0.5, 1.0)]
    times = torch.cat([torch.linspace(0, until, POINTS), *(c.flatten() for c in corners)]).unique()
    return times[(times >= 0) & (times <= until)]


def draw(gates: pd.DataFrame, path: Path) -> None:
    """A row a unit. Raises UserError for another kind of file."""
    import altair as alt

    if path.suffix not in (".png", ".svg", ".html"):
        raise UserError(f"--out {path} is no .png, .svg or .html: name one")
    order: Any = list(dict.fromkeys(gates["unit"]))
    with alt.data_transformers.disable_max_rows():
        chart = (
            alt.Chart(gates)
            .mark_area(line={"strokeJoin": "round"}, opacity=0.4)
            .encode(
                x=alt.X("time:Q", title="time"),
                y=alt.Y("k:Q", title="k", scale=alt.Scale(domain=[0, 1])),
                row=alt.Row(
                    "unit:N", sort=order, title=None, header=alt.Header(labelAngle=0, labelAlign="left")
                ),
                color=alt.Color("unit:N", sort=order, legend=None),
            )
            .properties(width=560, height=60, title="How open units of a Phased LSTM are over time (k)")
        )
        save: dict[str, Any] = {"inline": True} if path.suffix == ".html" else {"scale_factor": 2}
        try:
            chart.save(str(path), **save)
        except OSError as error:
            raise UserError(f"--out {path} cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    main()
