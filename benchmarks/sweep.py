"""Time the default sweep against the same six runs in plain Lightning: `python benchmarks/sweep.py`.

`lightning` is what one would write: torch.nn.Embedding, LSTM and Linear, torch's own data loader and
Lightning's defaults, one run after another in one process with 2 threads. `tangsweep` is the README's
command: the default launcher, with poems, scores and report. Both write an offline W&B run, a CSV log and
checkpoints, and evaluate after every epoch. Whole commands are timed, imports included, after one of each
that fills caches. The corpus is the one that TANGSWEEP_DATA names, else the bundled sample.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SIDES = ("lightning", "tangsweep")
NAMES = "sgd,momentum,adam,adagrad,adadelta,rmsprop"


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


def train_in_lightning(epochs: int, overrides: list[str]) -> None:
    """Train the six runs, one after another."""
    import pytorch_lightning as L
    import torch
    from hydra.utils import instantiate
    from pytorch_lightning.loggers import CSVLogger, WandbLogger

    from tangsweep.config.groups import optimizer_arguments

    torch.set_num_threads(2)
    module, folder = lightning_module(), os.environ["TANGSWEEP_HOME"]
    for name, run in prepared_runs(overrides).items():
        encoded, size = run.encoded, run.config.data.batch_size
        settings = run.config.plain["optimizer"]
        arguments = optimizer_arguments(settings)
        optimizer = instantiate({"_target_": settings["_target_"], **arguments}, _partial_=True)
        model = module(len(encoded.tokens), optimizer)
        wandb = WandbLogger(name=name, save_dir=folder, offline=True)
        trainer = L.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=f"{folder}/{name}",
                            logger=[wandb, CSVLogger(folder, name)])  # fmt: skip
        trainer.fit(model, data_loader(encoded.train, size, shuffle=True), data_loader(encoded.dev, 64))
        wandb.experiment.finish()


def command(side: str, epochs: int, overrides: list[str]) -> list[str]:
    """Return the command of one side."""
    if side == "lightning":
        return [sys.executable, __file__, "--lightning", "--epochs", str(epochs), *overrides]
    train = [sys.executable, str(REPOSITORY / "src" / "train.py"), "-m", f"optimizer={NAMES}"]
    return [*train, f"trainer.max_epochs={epochs}", *overrides]


def time_command(side: str, home: Path, epochs: int, overrides: list[str]) -> float:
    """Return the seconds of a whole command, whose outputs are removed; caches below `home` stay."""
    environment = {
        **os.environ, "TANGSWEEP_HOME": str(home), "WANDB_SILENT": "true", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(
        command(side, epochs, overrides), env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    for path in home.iterdir():
        if path.name != "data":
            shutil.rmtree(path)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 10, 30, 100])
    parser.add_argument("--lightning", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.lightning:
        train_in_lightning(arguments.epochs[0], arguments.overrides)
        return
    print("| epochs | Lightning, s | tangsweep, s | ratios | median |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for side in SIDES:
            time_command(side, Path(folder), 1, arguments.overrides)
        for epochs in arguments.epochs:
            times = [
                [time_command(side, Path(folder), epochs, arguments.overrides) for side in SIDES]
                for _ in range(arguments.pairs)
            ]
            ratios = sorted(ours / theirs for theirs, ours in times)
            theirs, ours = (statistics.median(side) for side in zip(*times, strict=True))
            listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(
                f"| {epochs} | {theirs:.1f} | {ours:.1f} | {listed} | {statistics.median(ratios):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
