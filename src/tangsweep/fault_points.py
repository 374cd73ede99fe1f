"""Points at which tests kill the process, to show that a run continues after a kill at any of them."""

import os
import signal

VARIABLE = "TANGSWEEP_FAULT"  # NAME@COUNT: the process kills itself when it reaches NAME for the COUNTth time
_passed: dict[str, int] = {}


def fault_point(name: str) -> None:
    """Kill this process with SIGKILL if TANGSWEEP_FAULT names this point and count.

    As in a power failure, nothing is cleaned up. Without the variable, nothing is done.
    """
    fault = os.environ.get(VARIABLE)
    if fault is None:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if fault == f"{name}@{_passed[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
