"""Copies the files that lie outside src/ into a wheel: conf/, sweeps/, the bundled poems and model.

`tangsweep.files` finds them there. Everything else is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("conf", "sweeps", "data/sample", "data/model")


class BuildWithFiles(build_py):
    """Builds the package with `installed_files/` in it; an editable installation uses the checkout's own."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            root = Path(__file__).parent
            for folder in FOLDERS:
                target = Path(self.build_lib, "tangsweep", "installed_files", folder)
                shutil.copytree(root / folder, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithFiles})
