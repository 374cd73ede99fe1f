"""What workers are forked with leaves scipy.signal out, and does not hide it."""

import subprocess
import sys

PROGRAM = """
import sys
import tangsweep.sweep.preload
assert "torchmetrics" in sys.modules and "pytorch_lightning" in sys.modules
assert "scipy.signal" not in sys.modules, "workers would load it for nothing"
import scipy.signal
assert scipy.signal.windows.hann(3).tolist() == [0, 1, 0]
"""


def test_scipy_signal_is_left_out_and_can_be_imported_later() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
