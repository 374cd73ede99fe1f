"""The console command `tangsweep train|report|generate|demo`, also as `python -m tangsweep`."""

import sys
from importlib import import_module

from tangsweep.command_line import print_error, run_command
from tangsweep.errors import did_you_mean

COMMANDS = {
    "train": "tangsweep.commands.train",
    "report": "tangsweep.commands.report",
    "generate": "tangsweep.commands.generate",
    "demo": "tangsweep.demo.__main__",
}
USAGE = f"usage: tangsweep {'|'.join(COMMANDS)} …; `tangsweep train --help` shows the options of one"


def main() -> None:
    """Run the command that the first argument names, with the others as its arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(USAGE)
    elif name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        sys.exit(print_error(f"tangsweep {name} does not exist; {hint}there are: {', '.join(COMMANDS)}"))
    else:
        sys.argv = [f"tangsweep {name}", *sys.argv[2:]]
        run(name)


def run(name: str) -> None:
    """Run a command with the arguments in sys.argv.

    Its modules take seconds to load, in which a terminal would stay empty.
    """
    if sys.stderr.isatty() and not {"-h", "--help"} & set(sys.argv):
        print("starting …", file=sys.stderr)
    run_command(import_module(COMMANDS[name]).main)


if __name__ == "__main__":
    main()
