"""What workers are forked with leaves scipy.signal out, and does not hide it."""

import subprocess
import sys
from pathlib import Path

import tangsweep

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


def test_workers_import_the_code_of_the_command(tmp_path: Path) -> None:
    """In a checkout beside the one that is installed, its own code and not the installed one's."""
    (tmp_path / "tangsweep").symlink_to(Path(tangsweep.__file__).parent)
    script = tmp_path / "command.py"
    script.write_text(
        "from tangsweep.sweep.worker_process import PRELOAD, process_context\n"
        "def imported():\n"
        "    with process_context(PRELOAD).Pool(1) as pool:\n"
        "        return pool.apply(eval, ('__import__(\"tangsweep\").__file__',))\n"
        "if __name__ == '__main__':\n"
        "    print(imported())\n",
        encoding="utf-8",
    )
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert Path(process.stdout.strip()).is_relative_to(tmp_path)
