"""Write poems or running text with a trained model; `python src/generate.py --help` shows how."""

from tangsweep.__main__ import run

if __name__ == "__main__":
    run("generate")
