"""The default sweep, six optimizers, against the same runs in plain Lightning: `python benchmarks/sweep.py`.

Theirs is what one would write: torch.nn.Embedding, LSTM and Linear, torch's own data loader, Lightning's
defaults, one run after the other in one process with 2 threads. Ours is the command of the README, one
run after another, to its end: poems, scores and comparison too. Both keep W&B offline, a CSV log and
checkpoints and evaluate after every epoch; imports and one epoch of each run before are left out on both
sides. On the corpus where TANGSWEEP_DATA names it, else on the bundled sample.
"""

import argparse
import contextlib
import io
import itertools
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
NAMES = "sgd,momentum,adam,adagrad,adadelta,rmsprop"


def ours(epochs: int, overrides: list[str]) -> float:
    """Seconds of the whole command, without imports."""

    sys.argv = ["train.py", "-m", f"optimizer={NAMES}", f"trainer.max_epochs={epochs}", *overrides]
    began = time.perf_counter()
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(REPOSITORY / "src" / "train.py"), run_name="__main__")
    return time.perf_counter() - began


def theirs(epochs: int, overrides: list[str]) -> float:
    """Seconds of six runs, without imports and without reading and encoding the corpus."""
    import hydra
    import pytorch_lightning as L
    import torch
    from omegaconf import OmegaConf
    from peer import TorchLanguageModel
    from pytorch_lightning.loggers import CSVLogger, WandbLogger
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    from tangsweep.training.prepare import prepare

    class Module(L.LightningModule):
        def __init__(self, vocabulary: int, make: Any) -> None:
            super().__init__()
            self.model, self.make = TorchLanguageModel(vocabulary, 64, 64), make

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.model.loss(*batch)
            self.log("train/loss", loss)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val/loss", self.model.loss(*batch))

        def configure_optimizers(self) -> Any:
            return self.make(self.parameters())

    def padded(poems: list[Any]) -> Any:
        inputs, targets = ([part[side] for part in poems] for side in (0, 1))
        return pad_sequence(inputs, True), pad_sequence(targets, True, padding_value=-1)

    def poems(sequences: Any) -> list[Any]:
        ids, starts = torch.from_numpy(sequences.ids).long(), sequences.starts
        rows = [ids[a:b] for a, b in itertools.pairwise(starts)]
        return [(row[:-1], row[1:]) for row in rows]

    torch.set_num_threads(2)
    runs = []
    with hydra.initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        for name in NAMES.split(","):
            composed = hydra.compose("train", overrides=[f"optimizer={name}", *overrides])
            runs.append(prepare(OmegaConf.to_container(composed, resolve=True), []))  # type: ignore[arg-type]
    folder = os.environ["TANGSWEEP_HOME"]
    began = time.perf_counter()
    for name, run in zip(NAMES.split(","), runs, strict=True):
        encoded, size = run.encoded, run.config["data"]["batch_size"]
        model = Module(len(encoded.tokens), hydra.utils.instantiate(run.config["optimizer"]))
        wandb = WandbLogger(name=name, save_dir=folder, offline=True)
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=f"{folder}/{name}",
                            logger=[wandb, CSVLogger(folder, name)])  # fmt: skip
        trainer.fit(model, DataLoader(poems(encoded.train), size, shuffle=True, collate_fn=padded),
                    DataLoader(poems(encoded.dev), 64, collate_fn=padded))  # fmt: skip
        wandb.experiment.finish()
    return time.perf_counter() - began


SIDES = {"ours": ours, "theirs": theirs}


def measured(side: str, epochs: int, overrides: list[str]) -> float:
    """In a process of its own, with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "--side", side, "--epochs", str(epochs), *overrides]
        environment = {
            **os.environ,
            "TANGSWEEP_HOME": home,
            "WANDB_SILENT": "true",
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.side:
        own = ["hydra/launcher=basic"] if arguments.side == "ours" else []
        with contextlib.redirect_stdout(io.StringIO()):
            for epochs in (1, arguments.epochs):
                seconds = SIDES[arguments.side](epochs, [*arguments.overrides, *own])
        print(seconds)
        return
    ratios = []
    for pair in range(arguments.pairs):
        peer, mine = (measured(s, arguments.epochs, arguments.overrides) for s in ("theirs", "ours"))
        ratios.append(mine / peer)
        print(f"{pair + 1}: theirs {peer:.1f} s, ours {mine:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    low, high = min(ratios), max(ratios)
    print(f"ours over theirs: median {statistics.median(ratios):.2f}, from {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
