"""Opens a local page that composes poems.

python -m tangsweep.demo            on http://127.0.0.1:7860, or the next port that is free
python -m tangsweep.demo --port 0   on a port that the system chooses
"""

import argparse
import os
from importlib.util import find_spec

from tangsweep.command_line import run_command
from tangsweep.errors import UserError

HOST = "127.0.0.1"  # only this machine can connect
MAX_PORT = 65_535
# Gradio and huggingface_hub read these when they are imported: no telemetry, no version check.
OFFLINE_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Open a local page that composes poems with trained runs.")
    parser.add_argument("--port", type=int, help="7860, or the next that is free; 0: any")
    parser.add_argument("--quiet", action="store_true", help="open no browser")
    options = parser.parse_args()
    if options.port is not None and not 0 <= options.port <= MAX_PORT:
        raise UserError(f"--port {options.port} is invalid: it must be from 0 to {MAX_PORT}")
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install -c constraints.txt -e '.[demo]', or make demo")
    os.environ |= OFFLINE_ENVIRONMENT
    from tangsweep.demo.serve import serve  # imports Gradio, so only after the environment is set

    serve(HOST, options.port, browser=not options.quiet)


if __name__ == "__main__":
    run_command(main)
