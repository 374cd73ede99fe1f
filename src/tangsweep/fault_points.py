"""Points at which the tests kill a process, to prove that a run continues after a kill at any of them."""

import os
import signal

VARIABLE = "TANGSWEEP_FAULT"  # NAME@COUNT: the process kills itself when it reaches NAME for that time
_passed: dict[str, int] = {}


def fault_point(name: str) -> None:
    """Kill this process where TANGSWEEP_FAULT names this point; otherwise one look into the environment.

    SIGKILL leaves no time to clean up, as when the power goes.
    """
    fault = os.environ.get(VARIABLE)
    if fault is None:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if fault == f"{name}@{_passed[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
