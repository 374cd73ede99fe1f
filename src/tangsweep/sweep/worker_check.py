"""Checks the configs of a sweep in a worker process, so that the command itself never imports torch."""

import signal
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from tangsweep import console
from tangsweep.config.run_config import AnyConfig
from tangsweep.errors import UserError
from tangsweep.sweep.worker_process import ProcessContext, starting_processes
from tangsweep.tasks.registry import parse_config


def check_in_worker(context: ProcessContext, configs: Sequence[AnyConfig]) -> None:
    """Do what `check_before_training` does, in a process that has imported already what it needs.

    Prints what that prints. Raises UserError where it does, and where the process dies.
    """
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(sender, [config.plain for config in configs]), daemon=True)
    with starting_processes():
        process.start()
    sender.close()
    try:
        while isinstance(message := receiver.recv(), console.LineMessage):
            console.print_line(message.line, message.style)
    except EOFError:
        process.join()
        raise UserError(
            f"the process that checks optimizers and kernels ended with status {process.exitcode}: free some "
            "memory, or name hydra/launcher=basic"
        ) from None
    finally:
        receiver.close()
    process.join()
    if message is not None:
        raise UserError(message)


def _check(pipe: Connection, configs: Sequence[Mapping[str, Any]]) -> None:
    """Send lines to print, and at the end the text of a UserError, or None."""
    from tangsweep.training.prepare import check_before_training

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command handles it
    console.relay_to_parent(pipe.send)
    try:
        check_before_training([parse_config(config) for config in configs])
    except UserError as error:
        pipe.send(str(error))
    else:
        pipe.send(None)
