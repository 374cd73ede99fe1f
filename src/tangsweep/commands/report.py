"""The command `src/report.py`, or `tangsweep report`: a page that answers a sweep's question.

python src/report.py outputs/optimizers                  report.html, report.md, tables/, figures/ in there
python src/report.py outputs/a outputs/b --out both      one report on several sweeps, in another folder
python src/report.py outputs/optimizers --wandb publish  the same as a workspace and a report at W&B
python src/report.py outputs/optimizers_search --optuna study.log  a search for optuna-dashboard
python src/report.py                                     outputs/index.html: all sweeps with their answers
"""

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import yaml

from tangsweep.command_line import ArgumentParser
from tangsweep.errors import UserError
from tangsweep.files import (
    atomic_write,
    display_path,
    new_output_file,
    outputs_folder,
    report_folder,
    user_folders,
)
from tangsweep.reporting.index_page import holds_sweeps, write_index
from tangsweep.reporting.sweep_summary import is_training, summarize, write_summary
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record_file import read_record


def main() -> None:
    parser = ArgumentParser(description="Compare the runs of one sweep, or of several.")
    parser.add_argument(
        "folders", nargs="*", help="folders of sweeps, outputs/NAME (default: an index of all in outputs/)"
    )
    parser.add_argument("--out", help="where to write (default: the folder of the sweep, if it is one)")
    parser.add_argument(
        "--wandb",
        choices=("publish", "spec"),
        help="publish: a workspace and a report at W&B; spec: the same as dashboard.json, without a network",
    )
    parser.add_argument(
        "--optuna", metavar="FILE", help="write the search of a sweep to a new file, for optuna-dashboard"
    )
    parser.add_argument("--entity", help="W&B user or team (default: that of the runs, else yours)")
    parser.add_argument("--project", help="W&B project (default: that of the runs)")
    options = parser.parse_args()
    folders = user_folders(options.folders)
    for folder in folders:
        check_folder(folder)
    if options.optuna:
        export_to_optuna(folders, options.optuna)
        return
    if outputs := _folder_of_sweeps(folders):
        if options.out or options.wandb:
            raise UserError("--out and --wandb are for the report of a sweep: name its folder, outputs/NAME")
        print(f"{display_path(write_index(outputs))} lists all sweeps")
        return
    if options.wandb and find_spec("wandb_workspaces") is None:
        raise UserError("--wandb needs wandb-workspaces: pip install -c constraints.txt -e '.[dashboard]'")
    write_and_publish(folders, report_folder(folders, options.out), options)


def export_to_optuna(folders: list[Path], name: str) -> None:
    """Write a search to a new file of Optuna's. Raises UserError where it is none, or the file exists."""
    from tangsweep.sweep.optuna_export import export_search

    if len(folders) != 1:
        raise UserError("--optuna is for one search: name its folder, outputs/NAME")
    path = new_output_file(name, option="--optuna")
    studies = export_search(folders[0], path)
    print(
        f"{display_path(path)} holds the studies {', '.join(studies)}: optuna-dashboard {display_path(path)}"
    )


def check_folder(folder: Path) -> None:
    """Raise UserError for a folder in which no run can be read: nothing is written into it."""
    if folder == outputs_folder():
        return
    if folder.is_file():
        raise UserError(f"{folder} is a file: name the folder of a sweep, outputs/NAME")
    if _is_run(folder):
        raise UserError(f"{folder} is a run: name the folder of its sweep, {folder.parent}")
    if not any(map(_is_run, chain(folder.glob("*/"), folder.glob("*/*/")))):
        reason = "holds no run that can be read" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {reason}: name the folder of a sweep, outputs/NAME")


def _is_run(path: Path) -> bool:
    """Return whether a folder has a record or a config of this project."""
    folder = RunFolder(path)
    record = read_record(folder)
    if record is not None and record.primary is not None:
        return True
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return False
    return isinstance(config, Mapping) and "optimizer" in config


def _folder_of_sweeps(folders: list[Path]) -> Path | None:
    """Return the folder whose sweeps are to be listed; None where sweeps are named themselves."""
    if not folders:
        return outputs_folder()
    [first, *others] = folders
    return first if not others and (first == outputs_folder() or holds_sweeps(first)) else None


def write_and_publish(folders: list[Path], out: Path, options: argparse.Namespace) -> None:
    """Print the rankings, write the report's files, then do what --wandb says."""
    from tangsweep.reporting.build import report_on, write_report  # pandas, Altair, SciPy: only when needed
    from tangsweep.reporting.render.terminal import print_rankings

    data, report = report_on(folders)
    print_rankings(report)
    files = write_report(report, out)
    print(f"{display_path(files[0])} has the whole report; {len(files) - 1} files lie beside it")
    if folders == [out] and not is_training(out):
        write_summary(out, summarize(out, data, report))  # for the index of all sweeps
    if not options.wandb:
        return
    from tangsweep.dashboard.publish import find_wandb_project, publish_dashboard
    from tangsweep.dashboard.spec import build_dashboard

    project = find_wandb_project(data, options.entity, options.project)
    if options.wandb == "publish":
        print("\n".join(publish_dashboard(data, report, project)))
    else:
        path = out / "dashboard.json"
        atomic_write(path, build_dashboard(data, report, project).json)
        print(f"{display_path(path)} holds what --wandb publish would save")
