"""The checksums in result.json, and what they say of files that were changed later."""

import json
import math
from pathlib import Path

import pytest

from tangsweep.files import checksum_of
from tangsweep.runs.checksums import ChangedFile, is_changed, recorded_checksums
from tangsweep.runs.config_file import read_config, write_config
from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record, Scores
from tangsweep.runs.record_file import load_values, read_record, write_record
from tests.damage import flip_bit

RECORD = Record(
    status="done", seed=3, dev=Scores(perplexity=math.inf, loss=1.25), machine="水", error='a "b"'
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path)
    write_config(folder, "seed: 3\nname: 水\n")
    folder.metrics.write_text("step,epoch\n1,1\n")
    write_record(folder, RECORD)
    return folder


def test_a_record_has_checksums_of_the_files_beside_it_and_its_own(folder: RunFolder) -> None:
    checksums = recorded_checksums(folder)
    assert set(checksums) == {"config.yaml", "metrics.csv", "result.json"}
    assert checksums["metrics.csv"] == checksum_of(folder.metrics.read_bytes())
    assert read_record(folder) == RECORD.model_copy(update={
        "dev": Scores(perplexity=None, loss=1.25), "checksums": checksums
    })  # fmt: skip


def test_every_changed_bit_of_a_record_is_seen_or_without_effect(folder: RunFolder) -> None:
    """Without effect: blanks, and the name of the key of the checksums."""
    content, whole, seen = folder.result.read_bytes(), read_record(folder), 0
    assert whole is not None
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        folder.result.write_bytes(changed)
        record = read_record(folder)
        if record is None:
            seen += 1
        else:
            known = set(Record.model_fields) - {"checksums"}
            assert record.model_dump(include=known) == whole.model_dump(include=known), changed.decode()
    assert seen > 7 * len(content)


def test_layout_and_order_do_not_count(folder: RunFolder) -> None:
    values = json.loads(folder.result.read_text(encoding="utf-8"))
    folder.result.write_text(json.dumps(dict(reversed(values.items()))))
    assert read_record(folder) is not None
    assert load_values(folder) == values


def test_a_record_without_checksums_is_believed(folder: RunFolder) -> None:
    folder.result.write_text('{"status": "done", "schema": 2, "seed": 4}')
    record = read_record(folder)
    assert record is not None and record.seed == 4
    assert recorded_checksums(folder) == {}
    assert not is_changed(folder.metrics, record.checksums)


@pytest.mark.parametrize("checksums", ["x", [], {}, {"metrics.csv": "0"}, {"result.json": 5}])
def test_checksums_without_its_own_are_not(folder: RunFolder, checksums: object) -> None:
    folder.result.write_text(json.dumps({"status": "done", "checksums": checksums}))
    with pytest.raises(ChangedFile):
        load_values(folder)
    assert recorded_checksums(folder) == {}


def test_a_changed_or_removed_file_is_seen(folder: RunFolder) -> None:
    checksums = recorded_checksums(folder)
    assert not is_changed(folder.metrics, checksums)
    assert not is_changed(folder.poems, checksums)
    flip_bit(folder.metrics, b"1,1")
    assert is_changed(folder.metrics, checksums)
    folder.config.unlink()
    assert is_changed(folder.config, checksums)


def test_writing_a_record_again_makes_its_checksums_anew(folder: RunFolder) -> None:
    record = read_record(folder)
    assert record is not None
    folder.poems.write_text("日出\n", encoding="utf-8")
    record.seconds = 7.5
    write_record(folder, record)
    assert read_record(folder) is not None
    assert set(recorded_checksums(folder)) == {"config.yaml", "metrics.csv", "poems.txt", "result.json"}


def test_a_config_carries_a_checksum_for_runs_without_a_record(folder: RunFolder) -> None:
    assert read_config(folder) == {"seed": 3, "name": "水"}
    flip_bit(folder.config, b"seed: 3")
    with pytest.raises(ChangedFile, match="was changed since it was written"):
        read_config(folder)
    folder.config.write_text("seed: 5\n")  # of an earlier version
    assert read_config(folder) == {"seed": 5}
