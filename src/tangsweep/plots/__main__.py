"""Charts of the mathematics.

python -m tangsweep.plots gradient-flow --out flow.png
python -m tangsweep.plots gradient-flow --checkpoint outputs/optimizer/RUN --out trained.png
python -m tangsweep.plots time-gate --out gate.png
python -m tangsweep.plots time-gate --checkpoint outputs/frequency/RUN --out learned.png
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tangsweep.command_line import run_command
from tangsweep.errors import UserError

if TYPE_CHECKING:
    import altair as alt

SUFFIXES = (".png", ".svg", ".html")


def main() -> None:
    arguments = parse_arguments()
    out = Path(arguments.out)
    if out.suffix not in SUFFIXES:
        raise UserError(f"--out {out}: the name must end in .png, .svg or .html")
    if arguments.chart == "gradient-flow":
        plot_gradient_flow(arguments, out)
    else:
        plot_time_gate(arguments, out)
    print(out)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tangsweep.plots", description="Draw a chart into a .png, .svg or .html file."
    )
    charts = parser.add_subparsers(dest="chart", required=True)
    flow = charts.add_parser("gradient-flow", help="the norm of ∂h_T/∂h_k against the lag T − k")
    flow.add_argument("--hidden", type=int, default=64, help="hidden size of random weights (64)")
    flow.add_argument("--steps", type=int, default=100, help="time steps (100)")
    flow.add_argument("--seed", type=int, default=0, help="seed of random weights (0)")
    flow.add_argument("--checkpoint", help="a checkpoint or a run's folder, instead of random weights")
    flow.add_argument("--out", default="flow.png", help="the file (flow.png)")
    gate = charts.add_parser("time-gate", help="how open units of a Phased LSTM are over time")
    gate.add_argument(
        "--units", type=int, default=5, help="units, from the shortest period to the longest (5)"
    )
    gate.add_argument("--until", type=float, default=60.0, help="end of the time axis (60)")
    gate.add_argument("--seed", type=int, default=0, help="seed of a new cell's periods (0)")
    gate.add_argument("--checkpoint", help="a checkpoint or a run's folder, instead of a new cell")
    gate.add_argument("--out", default="gate.png", help="the file (gate.png)")
    return parser.parse_args()


def plot_gradient_flow(arguments: argparse.Namespace, out: Path) -> None:
    """Save the chart and print the norms at the largest lag."""
    from tangsweep.plots import gradient_flow  # torch, pandas and altair: only once the arguments are valid

    if arguments.hidden < 1 or arguments.steps < 1:
        raise UserError("--hidden and --steps must be at least 1")
    if arguments.checkpoint:
        norms = gradient_flow.norms_of_trained_model(arguments.checkpoint, arguments.steps)
    else:
        norms = gradient_flow.norms_of_random_weights(arguments.hidden, arguments.steps, arguments.seed)
    save_chart(gradient_flow.gradient_flow_chart(norms), out)
    largest_lag = norms["lag"].max()
    last = norms[norms["lag"] == largest_lag]
    for what, norm in zip(last["what"], last["norm"], strict=True):
        print(f"{what}: {norm:.1e} at lag {largest_lag}")


def plot_time_gate(arguments: argparse.Namespace, out: Path) -> None:
    from tangsweep.plots import time_gate

    if arguments.units < 1 or arguments.until <= 0:
        raise UserError("--units must be at least 1, --until above 0")
    if arguments.checkpoint:
        cell = time_gate.trained_phased_lstm(arguments.checkpoint)
    else:
        cell = time_gate.new_phased_lstm(arguments.seed)
    openness = time_gate.openness_over_time(cell, arguments.units, arguments.until)
    save_chart(time_gate.time_gate_chart(openness), out, scale_factor=2)


def save_chart(chart: "alt.Chart", path: Path, scale_factor: int = 1) -> None:
    """Save a chart; `scale_factor` multiplies the pixels of a .png. Raises UserError where it cannot."""
    import altair as alt

    try:
        with alt.data_transformers.disable_max_rows():
            chart.save(str(path), scale_factor=scale_factor, inline=path.suffix == ".html")
    except OSError as error:
        raise UserError(f"--out {path} cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    run_command(main)
