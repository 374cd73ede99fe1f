"""A local page that composes poems.

python -m tangsweep.demo            on http://127.0.0.1:7860, or the next port that is free
python -m tangsweep.demo --port 0   on a port that the system chooses
"""

import argparse
import os
from importlib.util import find_spec

from tangsweep.command_line import run_command
from tangsweep.errors import UserError

HIGHEST = 65_535  # port
HOST = "127.0.0.1"  # this machine, nobody else's
# Read by Gradio and what it brings when they are imported: nothing is told, nothing asked.
SILENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Open a local page that composes poems with trained runs.")
    parser.add_argument("--port", type=int, help="7860, or the next that is free; 0: any")
    parser.add_argument("--quiet", action="store_true", help="open no browser")
    options = parser.parse_args()
    if options.port is not None and not 0 <= options.port <= HIGHEST:
        raise UserError(f"--port {options.port} makes no sense: it must be from 0 to {HIGHEST}")
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install -c constraints.txt -e '.[demo]', or make demo")
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
    }
    from tangsweep.demo.serve import serve  # Gradio reads those when it is imported

    serve(HOST, options.port, browser=not options.quiet)


if __name__ == "__main__":
    run_command(main)
