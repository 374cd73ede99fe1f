"""Chart of vanishing and exploding gradients: norms of ∂h_T/∂h_k against the lag T − k.

python -m tangsweep.plots.gradient_flow --out flow.png
python -m tangsweep.plots.gradient_flow --checkpoint outputs/optimizer/RUN --out trained.png
"""

import argparse
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from tangsweep.analytic import gradient_flow, lstm, rnn
from tangsweep.analytic.shapes import FloatArray
from tangsweep.cells.lstm import LSTM
from tangsweep.checkpoint import load_model
from tangsweep.command_line import run_command
from tangsweep.corpora.tang import PoemSource, find_poems
from tangsweep.errors import UserError
from tangsweep.files import user_path
from tangsweep.plots.save import chart_path, save_chart

SPECTRAL_RADII = (0.8, 1.0, 1.2)  # of the vanilla RNN's W_hh
FORGET_BIASES = (0.0, 1.0, 5.0)
SMALLEST_NORM = 1e-12  # smaller norms are charted as this one: the axis is logarithmic


def main() -> None:
    """Save the chart and print the norms at the largest lag."""
    arguments = gradient_flow_arguments()
    out = chart_path(arguments.out)
    if arguments.hidden < 1 or arguments.steps < 1:
        raise UserError("--hidden and --steps must be at least 1")
    if arguments.checkpoint:
        norms = norms_of_trained_model(arguments.checkpoint, arguments.steps)
    else:
        norms = norms_of_random_weights(arguments.hidden, arguments.steps, arguments.seed)
    save_chart(gradient_flow_chart(norms), out)
    largest_lag = norms["lag"].max()
    last = norms[norms["lag"] == largest_lag]
    for what, norm in zip(last["what"], last["norm"], strict=True):
        print(f"{what}: {norm:.1e} at lag {largest_lag}")


def gradient_flow_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw the norm of ∂h_T/∂h_k against the lag T − k.")
    parser.add_argument("--hidden", type=int, default=64, help="hidden size of random weights (64)")
    parser.add_argument("--steps", type=int, default=100, help="time steps (100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of random weights (0)")
    parser.add_argument("--checkpoint", help="a checkpoint or a run's folder, instead of random weights")
    parser.add_argument("--out", default="flow.png", help="a .png, .svg or .html file (flow.png)")
    return parser.parse_args()


def norms_of_random_weights(H: int, T: int, seed: int) -> pd.DataFrame:
    """Return the norms of the vanilla RNN at several spectral radii and of the LSTM at several forget biases.

    Inputs are N(0, 1), of width H; weights are N(0, 1/H), with W_hh scaled to its spectral radius. The
    columns are `what`, `lag` and `norm`.
    """
    random = np.random.default_rng(seed)
    x = random.standard_normal((T, H))
    input_weights, recurrent = random.standard_normal((2, H, H)) / np.sqrt(H)
    curves: dict[str, FloatArray] = {}
    for radius in SPECTRAL_RADII:
        W_hh = recurrent * radius / gradient_flow.spectral_radius(recurrent)
        W_hx = input_weights * 0.1  # small, so that tanh stays nearly linear and the radius has its effect
        p = rnn.Parameters(W_hx, W_hh, np.zeros(H), np.zeros((H, 1)), np.zeros(1))
        curves[f"RNN, spectral radius {radius}"] = gradient_flow.rnn_norms(p, x)
    W, U = random.standard_normal((2, H, 4 * H)) / np.sqrt(H)
    for bias in FORGET_BIASES:
        b = np.zeros(4 * H)
        b[H : 2 * H] = bias
        through_h, _ = gradient_flow.lstm_norms(lstm.Parameters(W, U, b), x)
        curves[f"LSTM, forget bias {bias:g}"] = through_h
    return _to_frame(curves)


def norms_of_trained_model(checkpoint: str, T: int) -> pd.DataFrame:
    """Return the norms of a trained first layer on the first T characters of the bundled sample.

    `checkpoint` is a checkpoint or a run's folder. Raises UserError where it is not an LSTM of poems. The
    columns are `what`, `lag` and `norm`.
    """
    model, vocabulary, config = load_model(user_path(checkpoint))
    cell = model.cells[0]
    if not isinstance(cell, LSTM) or config["corpus"]["task"] != "poems":
        raise UserError(f"{checkpoint} is not an LSTM of poems, of which this is the chart: name another run")
    p = lstm.Parameters(*(weights.detach().double().numpy() for weights in (cell.W, cell.U, cell.b)))
    text = "".join(poem.text for poem in find_poems(PoemSource("sample"), None).poems)
    ids = vocabulary.encode(text[:T])
    x = model.embedding_weight.detach().double().numpy()[ids]
    through_h, through_c = gradient_flow.lstm_norms(p, x)
    return _to_frame({"LSTM, ∂h_T/∂h_k": through_h, "LSTM, ∂h_T/∂c_k": through_c})


def _to_frame(curves: Mapping[str, FloatArray]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"what": name, "lag": np.arange(len(norms)), "norm": norms})
        for name, norms in curves.items()
    ]
    return pd.concat(frames, ignore_index=True)


def gradient_flow_chart(norms: pd.DataFrame) -> alt.Chart:
    """Return one line for each `what`, on a logarithmic axis."""
    chart: alt.Chart = (
        alt.Chart(norms.assign(norm=norms["norm"].clip(lower=SMALLEST_NORM)))
        .mark_line()
        .encode(
            x=alt.X("lag:Q", title="lag T − k"),
            y=alt.Y("norm:Q", title="norm of ∂h_T/∂·", scale=alt.Scale(type="log")),
            color=alt.Color("what:N", title=None, sort=list(norms["what"].unique())),
        )
        .properties(width=520, height=320)
    )
    return chart


if __name__ == "__main__":
    run_command(main)
