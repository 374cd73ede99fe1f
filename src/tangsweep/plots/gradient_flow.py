"""Pictures of what the formulas say.

python -m tangsweep.analytic flow --out flow.png
python -m tangsweep.analytic flow --checkpoint outputs/optimizer/RUN --out trained.png
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from tangsweep.analytic import gradient_flow, lstm, rnn
from tangsweep.config import numpy_lstm
from tangsweep.corpora.resolve import Source, resolve
from tangsweep.errors import UserError
from tangsweep.files import user_path

RADII = (0.8, 1.0, 1.2)  # spectral radii of the vanilla RNN's W_hh
FORGET_BIASES = (0.0, 1.0, 5.0)
FLOOR = 1e-12  # smaller norms are drawn here: the axis is logarithmic


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tangsweep.analytic", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("flow", help="the norm of ∂h_T/∂h_k against the lag T − k")
    command.add_argument("--hidden", type=int, default=64, help="hidden size of random weights (64)")
    command.add_argument("--steps", type=int, default=100, help="time steps (100)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--checkpoint", help="a trained model instead: a run's folder or a checkpoint")
    command.add_argument("--out", default="flow.png", help="a .png, .svg or .html file (flow.png)")
    options = parser.parse_args()
    if options.hidden < 1 or options.steps < 1:
        parser.error("--hidden and --steps must be at least 1")
    try:
        norms = (
            trained_norms(options.checkpoint, options.steps)
            if options.checkpoint
            else random_norms(options.hidden, options.steps, options.seed)
        )
        draw(norms, Path(options.out))
    except UserError as error:
        parser.error(str(error))
    last = norms[norms["lag"] == norms["lag"].max()]
    for name, norm in zip(last["what"], last["norm"], strict=True):
        print(f"{name}: {norm:.1e} at lag {last['lag'].iloc[0]}")
    print(options.out)


def random_norms(H: int, T: int, seed: int) -> pd.DataFrame:
    """The vanilla RNN at several spectral radii of W_hh, the LSTM at several forget biases.

    Inputs are N(0, 1) of width H; weights N(0, 1/H), W_hh then scaled to its radius.
    """
    random = np.random.default_rng(seed)
    x = random.standard_normal((T, H))
    input_weights, recurrent = random.standard_normal((2, H, H)) / np.sqrt(H)
    curves = {}
    for radius in RADII:
        scaled = recurrent * radius / gradient_flow.spectral_radius(recurrent)
        small = input_weights * 0.1  # so that tanh stays near its linear part and the radius shows
        p = rnn.Parameters(small, scaled, np.zeros(H), np.zeros((H, 1)), np.zeros(1))
        curves[f"RNN, spectral radius {radius}"] = gradient_flow.rnn_norms(p, x)
    W, U = random.standard_normal((2, H, 4 * H)) / np.sqrt(H)
    for bias in FORGET_BIASES:
        b = np.zeros(4 * H)
        b[H : 2 * H] = bias
        through_h, _ = gradient_flow.lstm_norms(lstm.Parameters(W, U, b), x)
        curves[f"LSTM, forget bias {bias:g}"] = through_h
    return _tidy(curves)


def trained_norms(checkpoint: str, T: int) -> pd.DataFrame:
    """∂h_T/∂h_k and ∂h_T/∂c_k of a trained first layer, on text of the bundled sample."""
    from tangsweep.checkpoint import load_model  # torch, and only here

    trained = load_model(user_path(checkpoint))
    if (
        trained.config["cell"]["name"] not in ("lstm", numpy_lstm.CELL)
        or trained.config["corpus"]["task"] != "poems"
    ):
        raise UserError(f"{checkpoint} is no LSTM of poems: the formulas drawn here are its")
    cell = trained.model.cells[0]
    p = lstm.Parameters(*(t.detach().double().numpy() for t in (cell.W, cell.U, cell.b)))
    text = "".join(poem.text for poem in resolve(Source("sample"), None).poems)
    ids = trained.vocabulary.encode(text[:T])
    x = trained.model.embedding.weight.detach().double().numpy()[ids]
    through_h, through_c = gradient_flow.lstm_norms(p, x)
    return _tidy({"LSTM, ∂h_T/∂h_k": through_h, "LSTM, ∂h_T/∂c_k": through_c})


def _tidy(curves: dict[str, np.ndarray]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"what": name, "lag": np.arange(len(norms)), "norm": norms})
        for name, norms in curves.items()
    ]
    return pd.concat(frames, ignore_index=True)


def draw(norms: pd.DataFrame, path: Path) -> None:
    """A chart with a logarithmic axis. Raises UserError for another kind of file."""
    import altair as alt

    if path.suffix not in (".png", ".svg", ".html"):
        raise UserError(f"--out {path}: the name must end in .png, .svg or .html")
    chart = (
        alt.Chart(norms.assign(norm=norms["norm"].clip(lower=FLOOR)))
        .mark_line()
        .encode(
            x=alt.X("lag:Q", title="lag T − k"),
            y=alt.Y("norm:Q", title="norm of ∂h_T/∂·", scale=alt.Scale(type="log")),
            color=alt.Color("what:N", title=None, sort=list(norms["what"].unique())),
        )
        .properties(width=520, height=320)
    )
    try:
        chart.save(str(path), **({"inline": True} if path.suffix == ".html" else {}))
    except OSError as error:
        raise UserError(f"--out {path} cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    main()
