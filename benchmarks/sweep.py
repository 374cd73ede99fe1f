"""Time the default sweep and the same six runs in plain Lightning: `python benchmarks/sweep.py`.

`lightning` is what one would write: torch.nn.Embedding, LSTM and Linear, torch's own data loader and
Lightning's defaults, one run after another in one process with 2 threads. `tangsweep` is the README's
command, one run after another, with its poems, scores and report. Both write an offline W&B run, a CSV log
and checkpoints, and evaluate after every epoch. Imports and a first epoch of each run are not timed. The
corpus is the one that TANGSWEEP_DATA names, else the bundled sample.
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


def time_tangsweep(epochs: int, overrides: list[str]) -> float:
    """Return the seconds of the whole command, without imports."""
    sys.argv = ["train.py", "-m", f"optimizer={NAMES}", f"trainer.max_epochs={epochs}", *overrides]
    start = time.perf_counter()
    try:
        runpy.run_path(str(REPOSITORY / "src" / "train.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    return time.perf_counter() - start


def lightning_module() -> Any:
    """Return the class of a LightningModule as one would write it."""
    import pytorch_lightning as L
    from peer import TorchLanguageModel

    class Module(L.LightningModule):
        def __init__(self, vocabulary: int, make_optimizer: Any) -> None:
            super().__init__()
            self.model, self.make_optimizer = TorchLanguageModel(vocabulary, 64, 64), make_optimizer

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.model.loss(*batch)
            self.log("train/loss", loss)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val/loss", self.model.loss(*batch))

        def configure_optimizers(self) -> Any:
            return self.make_optimizer(self.parameters())

    return Module


def data_loader(sequences: Any, batch_size: int, shuffle: bool = False) -> Any:
    """Return torch's own loader of padded (inputs, targets), each (B, T)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    def collate(poems: list[Any]) -> Any:
        inputs, targets = ([part[side] for part in poems] for side in (0, 1))
        return pad_sequence(inputs, True), pad_sequence(targets, True, padding_value=-1)

    ids, starts = torch.from_numpy(sequences.ids).long(), sequences.starts
    rows = [ids[a:b] for a, b in itertools.pairwise(starts)]
    poems: Any = [(row[:-1], row[1:]) for row in rows]
    return DataLoader(poems, batch_size, shuffle=shuffle, collate_fn=collate)


def prepared_runs(overrides: list[str]) -> dict[str, Any]:
    """Return optimizer → its run with the corpus read and encoded."""
    import hydra
    from omegaconf import OmegaConf

    from tangsweep.tasks.registry import parse_config
    from tangsweep.training.prepare import prepare

    runs = {}
    with hydra.initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        for name in NAMES.split(","):
            composed = hydra.compose("train", overrides=[f"optimizer={name}", *overrides])
            values: Any = OmegaConf.to_container(composed, resolve=True)
            runs[name] = prepare(parse_config(values), [])
    return runs


def time_lightning(epochs: int, overrides: list[str]) -> float:
    """Return the seconds of six runs, without imports and without reading and encoding the corpus."""
    import pytorch_lightning as L
    import torch
    from hydra.utils import instantiate
    from pytorch_lightning.loggers import CSVLogger, WandbLogger

    torch.set_num_threads(2)
    module, runs = lightning_module(), prepared_runs(overrides)
    folder = os.environ["TANGSWEEP_HOME"]
    start = time.perf_counter()
    for name, run in runs.items():
        encoded, size = run.encoded, run.config.data.batch_size
        model = module(len(encoded.tokens), instantiate(run.config.plain["optimizer"]))
        wandb = WandbLogger(name=name, save_dir=folder, offline=True)
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=f"{folder}/{name}",
                            logger=[wandb, CSVLogger(folder, name)])  # fmt: skip
        trainer.fit(model, data_loader(encoded.train, size, shuffle=True), data_loader(encoded.dev, 64))
        wandb.experiment.finish()
    return time.perf_counter() - start


SIDES = {"tangsweep": time_tangsweep, "lightning": time_lightning}


def time_in_own_process(side: str, epochs: int, overrides: list[str]) -> float:
    """Time one side in a process of its own, with a TANGSWEEP_HOME of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "--side", side, "--epochs", str(epochs), *overrides]
        environment = {
            **os.environ,
            "TANGSWEEP_HOME": home,
            "WANDB_SILENT": "true",
            "PYTHONWARNINGS": "ignore",
        }
        process = subprocess.run(command, env=environment, capture_output=True, text=True)
        if process.returncode:
            raise SystemExit(process.stderr)
        return float(process.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="2 or more: the first is not timed")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.side:
        launcher = ["hydra/launcher=basic"] if arguments.side == "tangsweep" else []
        with contextlib.redirect_stdout(io.StringIO()):
            for epochs in (1, arguments.epochs):
                seconds = SIDES[arguments.side](epochs, [*arguments.overrides, *launcher])
        print(seconds)
        return
    ratios = []
    for pair in range(arguments.pairs):
        lightning, tangsweep = (
            time_in_own_process(side, arguments.epochs, arguments.overrides)
            for side in ("lightning", "tangsweep")
        )
        ratios.append(tangsweep / lightning)
        print(
            f"{pair + 1}: Lightning {lightning:.1f} s, tangsweep {tangsweep:.1f} s, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    low, high = min(ratios), max(ratios)
    print(f"tangsweep over Lightning: median {statistics.median(ratios):.2f}, from {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
