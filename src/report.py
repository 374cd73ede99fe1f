"""The comparison of a sweep's runs: one page that answers its question.

python src/report.py outputs/optimizers              report.html, report.md, tables/, figures/ in it
python src/report.py outputs/a outputs/b --out both  of several sweeps, elsewhere
"""

import argparse
from pathlib import Path

from tangsweep import places
from tangsweep.command_line import reported
from tangsweep.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the runs of one sweep, or of several.")
    parser.add_argument("folders", nargs="+", help="folders of sweeps, outputs/NAME")
    parser.add_argument("--out", help="where to write (the folder of the sweep, where there is one)")
    options = parser.parse_args()
    folders = [places.typed(folder).resolve() for folder in options.folders]
    if options.out is None and len(folders) > 1:
        raise UserError("several folders make one report: say where to write it with --out")
    out = Path(options.out).expanduser().absolute() if options.out else folders[0]

    from tangsweep.report.write import made, write  # pandas, Altair, SciPy: only now

    _, report = made(folders)
    for line in (*report.warnings, *report.answers):
        print(line)
    files = write(report, out)
    print(f"{places.shown(files[0])}, and {len(files) - 1} files beside it")


if __name__ == "__main__":
    reported(main)
