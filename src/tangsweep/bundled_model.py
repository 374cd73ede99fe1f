"""The trained model that comes with the project: data/model/, the folder of a run whose weights are halved.

It writes poems where no other model is named. It takes part in no comparison: reports read outputs/ alone.

python -m tangsweep.bundled_model outputs/single/RUN     makes data/model/ of a run that has ended
"""

import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tangsweep.command_line import ArgumentParser, run_command
from tangsweep.errors import UserError
from tangsweep.files import BUNDLED_MODEL, atomic_write, checksum_of, read_regular_file, user_path
from tangsweep.runs.folder import RunFolder

if TYPE_CHECKING:
    from tangsweep.checkpoint import CheckpointContent

CHECKSUMS = "SHA256SUMS"  # lines of a checksum and the path in data/model/, as sha256sum writes them


def bundled_run() -> RunFolder:
    """Return the bundled model as the folder of a run.

    Raises UserError where a file of it is missing or is not what came with the project.
    """
    try:
        lines = (BUNDLED_MODEL / CHECKSUMS).read_text(encoding="utf-8").splitlines()
        for line in lines:
            checksum, _, name = line.partition("  ")
            if checksum_of(read_regular_file(BUNDLED_MODEL / name)) != checksum:
                raise UserError(f"{BUNDLED_MODEL / name} was changed: {_remedy()}")
    except OSError as error:
        raise UserError(
            f"the bundled model cannot be read ({error.strerror or error}): {_remedy()}"
        ) from None
    return RunFolder(BUNDLED_MODEL)


def _remedy() -> str:
    return "restore it with git checkout data/model, or name a run's folder"


def write_bundled_model(run: RunFolder, target: Path) -> None:
    """Write what generating, and showing the model's figures, needs of a run, with weights of 16 bits.

    Raises UserError where the run has not ended, and where `target` holds anything.
    """
    for path in (run.result, run.config, run.best):
        if not path.exists():
            raise UserError(f"{path} is missing: name the folder of a run that has ended")
    if target.exists() and any(path.name != "README.md" for path in target.iterdir()):
        raise UserError(f"{target} is not empty: remove it first")
    bundled = RunFolder(target)
    bundled.checkpoints.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in (run.result, run.config, run.metrics, run.poems) if path.exists()]
    for name in names:
        shutil.copyfile(run.path / name, target / name)
    atomic_write(bundled.best, _halved(run.best))
    paths = [*(target / name for name in names), bundled.best]
    sums = [f"{checksum_of(path.read_bytes())}  {path.relative_to(target).as_posix()}\n" for path in paths]
    atomic_write(target / CHECKSUMS, "".join(sums))


def _halved(checkpoint: Path) -> bytes:
    """Return a checkpoint with weights of 16 bits, and nothing else than what rebuilds its model."""
    import torch

    from tangsweep.checkpoint import read_checkpoint

    content = read_checkpoint(checkpoint)
    halves = {weight.data_ptr(): weight.half() for weight in content["state_dict"].values()}
    reduced: CheckpointContent = {name: content[name] for name in ("epoch", "global_step", "tangsweep")}
    # A tied matrix has two names and is stored once.
    reduced["state_dict"] = {name: halves[w.data_ptr()] for name, w in content["state_dict"].items()}
    buffer = io.BytesIO()
    torch.save(reduced, buffer)
    return buffer.getvalue()


def main() -> None:
    parser = ArgumentParser(description="Make data/model/, the model that comes with the project, of a run.")
    parser.add_argument("run", help="the folder of a run of poems that has ended")
    run = RunFolder(user_path(parser.parse_args().run))
    write_bundled_model(run, BUNDLED_MODEL)
    size = RunFolder(BUNDLED_MODEL).best.stat().st_size
    print(f"{BUNDLED_MODEL} holds the model: {size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
