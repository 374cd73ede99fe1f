"""Compare the runs of one sweep or of several; `python src/report.py --help` shows how."""

from tangsweep.__main__ import run

if __name__ == "__main__":
    run("report")
