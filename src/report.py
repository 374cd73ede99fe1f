"""The comparison of a sweep's runs: one page that answers its question.

python src/report.py outputs/optimizers                  report.html, report.md, tables/, figures/ in it
python src/report.py outputs/a outputs/b --out both      of several sweeps, elsewhere
python src/report.py outputs/optimizers --wandb publish  the same as a workspace and a report at W&B
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from tangsweep.command_line import run_command
from tangsweep.errors import UserError
from tangsweep.files import atomic_write, display_path, user_path


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the runs of one sweep, or of several.")
    parser.add_argument("folders", nargs="+", help="folders of sweeps, outputs/NAME")
    parser.add_argument("--out", help="where to write (the folder of the sweep, where there is one)")
    parser.add_argument(
        "--wandb",
        choices=("publish", "spec"),
        help="publish: a workspace and a report at W&B; spec: the same as dashboard.json, without a network",
    )
    parser.add_argument("--entity", help="the W&B user or team (where the runs are, else your default)")
    parser.add_argument("--project", help="the W&B project (where the runs are)")
    options = parser.parse_args()
    if options.wandb and find_spec("wandb_workspaces") is None:
        raise UserError("--wandb needs wandb-workspaces: pip install -c constraints.txt -e '.[dashboard]'")
    folders = [user_path(folder).resolve() for folder in options.folders]
    if options.out is None and len(folders) > 1:
        raise UserError("several folders make one report: say where to write it with --out")
    out = Path(options.out).expanduser().absolute() if options.out else folders[0]
    make(folders, out, options)


def make(folders: list[Path], out: Path, options: argparse.Namespace) -> None:
    """The report's files, then what W&B was asked to show."""
    from tangsweep.report.write import made, write  # pandas, Altair, SciPy: only now

    found, report = made(folders)
    for line in (*report.warnings, *report.answers):
        print(line)
    files = write(report, out)
    print(f"{display_path(files[0])}, and {len(files) - 1} files beside it")
    if not options.wandb:
        return
    from tangsweep.dashboard import publish, spec

    home = publish.home(found, options.entity, options.project)
    if options.wandb == "publish":
        print("\n".join(publish.publish(found, report, home)))
    else:
        path = out / "dashboard.json"
        atomic_write(path, spec.dashboard(found, report, home).json)
        print(f"{display_path(path)}: what --wandb publish would save")


if __name__ == "__main__":
    run_command(main)
