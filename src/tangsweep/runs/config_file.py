"""config.yaml: the whole config of a run, below a comment with its checksum.

The record has a checksum of it too, but a run that has not ended has no record.
"""

import re

import yaml

from tangsweep.config.identity import PlainConfig
from tangsweep.config.yaml_aliases import is_too_large
from tangsweep.files import atomic_write, checksum_of, read_regular_file
from tangsweep.runs.checksums import WAS_CHANGED, ChangedFile
from tangsweep.runs.folder import RunFolder

COMMENT = "# SHA-256 of the lines below: "
HEADER = re.compile(rf"{re.escape(COMMENT)}([0-9a-f]{{64}})\n".encode())


def write_config(folder: RunFolder, text: str) -> None:
    """Write the YAML of a config, whole or not at all."""
    atomic_write(folder.config, f"{COMMENT}{checksum_of(text.encode())}\n{text}")


def read_config(folder: RunFolder) -> PlainConfig:
    """Return the plain values of a config; those of earlier versions have no checksum to compare.

    Raises OSError where there is none, yaml.YAMLError or ValueError where it is no config, and ChangedFile,
    which is a ValueError, where it was changed.
    """
    content = read_regular_file(folder.config)
    header = HEADER.match(content)
    if header and header[1].decode() != checksum_of(content[header.end() :]):
        raise ChangedFile(WAS_CHANGED)
    text = content.decode("utf-8")
    values = None if is_too_large(text) else yaml.safe_load(text)
    if not isinstance(values, dict):
        raise ValueError("no config")
    return values
