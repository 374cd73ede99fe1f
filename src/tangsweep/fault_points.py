"""Where the tests kill a process: points that are passed by, unless an environment variable names one."""

import os
import signal

VARIABLE = "TANGSWEEP_FAULT"  # NAME@COUNT: the process kills itself when it comes to NAME so often
_passed: dict[str, int] = {}


def fault_point(name: str) -> None:
    """Costs one look into the environment; with SIGKILL nothing is cleaned up, as when the power goes."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if wanted == f"{name}@{_passed[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
