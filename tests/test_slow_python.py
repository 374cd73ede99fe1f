"""What docs/python.md and docs/notebook.ipynb show, run; the wheel; several processes."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tangsweep.files import REPOSITORY

pytestmark = pytest.mark.slow

PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run_python(code: str, folder: Path, *arguments: str) -> str:
    """Run a script in a folder of its own, without a guard against being imported again."""
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "TANGSWEEP_HOME": str(folder), "WANDB_MODE": "offline"}
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_sweep_and_its_runs(home: Path) -> None:
    output = run_python(SCRIPTS[0], home)
    assert "dev_perplexity" in output
    assert re.search(r"^山", output, re.MULTILINE)


def test_the_plain_script(home: Path) -> None:
    output = run_python(SCRIPTS[1], home)
    assert "'test/perplexity'" in output
    assert re.search(r"^日", output, re.MULTILINE)
    assert re.search(r"^月", output, re.MULTILINE)
    assert list((home / "wandb").glob("offline-run-*"))
    assert list((home / "logs").rglob("events.out.*"))
    [metrics] = (home / "logs").rglob("metrics.csv")
    assert "val/perplexity" in metrics.read_text(encoding="utf-8")
    [checkpoint] = (home / "checkpoints").glob("*.ckpt")
    command = [sys.executable, str(REPOSITORY / "src" / "generate.py"), str(checkpoint), "--start", "山"]
    poem = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert poem.startswith("山")


def test_the_module_with_other_options(home: Path) -> None:
    run_python(SCRIPTS[2] + "print(module.describe_arguments())", home)
    assert len(SCRIPTS) == 3


def test_the_notebook(home: Path) -> None:
    notebook = json.loads((REPOSITORY / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 6
    output = run_python("\n".join(cells), home)
    assert re.search(r"^山", output, re.MULTILINE)


DISTRIBUTED = """
import sys
import pytorch_lightning as L
import torch
import tangsweep

class Losses(L.Callback):
    values = []
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss = outputs["loss"].detach().clone()
        self.values.append(float(trainer.strategy.reduce(loss, reduce_op="mean")))

processes = int(sys.argv[1])
data = tangsweep.TangDataModule(
    corpus="sample", poems=None, train_poems=61, dev_poems=21, batch_size=5
)
data.prepare_data()
data.setup()
module = tangsweep.LanguageModelModule(
    data.tokens, hidden_size=16, embed_size=16, optimizer=torch.optim.SGD, lr=0.5
)
trainer = L.Trainer(
    max_epochs=2, accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto",
    logger=False, enable_progress_bar=False, enable_checkpointing=False, callbacks=[Losses()],
)
trainer.fit(module, datamodule=data)
if trainer.is_global_zero:
    scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
    torch.save({"losses": Losses.values, "scores": scores}, f"processes-{processes}.pt")
"""


def test_two_processes_train_as_one_does(home: Path) -> None:
    """With a last batch that leaves one of them without a row."""
    import torch

    for processes in ("1", "2"):
        run_python(DISTRIBUTED, home, processes)
    one, two = (torch.load(home / f"processes-{n}.pt", weights_only=True) for n in (1, 2))
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert len(one["losses"]) == 30
    for name in ("val/perplexity", "val/accuracy", "train/epoch_loss"):
        assert two["scores"][name] == pytest.approx(one["scores"][name], rel=1e-6), name


def test_the_wheel(home: Path) -> None:
    """It is complete without the checkout: commands, configs, sample, API."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(home / "dist"), str(REPOSITORY)], check=True)
    [wheel] = (home / "dist").glob("tangsweep-*.whl")
    venv.create(home / "venv", with_pip=True, symlinks=True)
    binaries = home / "venv" / "bin"
    [packages] = (home / "venv" / "lib").glob("python*/site-packages")
    # Its dependencies are those of this environment; a plain path in a .pth file leaves out the checkout.
    (packages / "dependencies.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n", encoding="utf-8")
    subprocess.run(
        [binaries / "python", "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True
    )
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TANGSWEEP", "PYTHONPATH"))}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = ["corpus=sample", "data.poems=12", "trainer.max_epochs=1", "logger=csv", "poems.quality=false"]
    run(binaries / "tangsweep", "train", "-m", "optimizer=sgd,adam", *small)
    sweep = elsewhere / "outputs" / "optimizer"
    assert (sweep / "report.html").exists()
    planned = run(binaries / "tangsweep", "train", "sweeps=optimizers", "plan=true", *small)
    assert "optimizer-momentum" in planned
    folder = next(path for path in sweep.iterdir() if (path / "result.json").exists())
    assert run(binaries / "tangsweep", "generate", folder, "--start", "山").startswith("山")
    code = "import tangsweep; print(tangsweep.__file__); print(len(tangsweep.load_runs('outputs/optimizer').runs))"
    file, runs = run(binaries / "python", "-c", code).split()
    assert file.startswith(str(home / "venv")) and runs == "2"
    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert record["git"] == {"commit": None, "dirty": None}
