"""Train one run, or many with -m or sweeps=NAME; `python src/train.py --help` shows how."""

from tangsweep.__main__ import run

if __name__ == "__main__":
    run("train")
