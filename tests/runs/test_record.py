import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangsweep.runs.folder import RunFolder
from tangsweep.runs.record import Record, Scores
from tangsweep.runs.record_file import parse_record, read_record, write_record


def test_a_record_is_plain_json(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    record = Record(
        status="diverged", dev=Scores(perplexity=math.inf, loss=math.nan), machine="水", seconds=1.5
    )
    write_record(folder, record)
    text = folder.result.read_text(encoding="utf-8")
    written = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert written == {
        "status": "diverged", "machine": "水", "seconds": 1.5, "dev": {"perplexity": None, "loss": None},
        "checksums": {"result.json": written["checksums"]["result.json"]},
    }  # fmt: skip
    read = read_record(folder)
    assert read is not None and read.dev is not None
    assert (read.status, read.machine, read.dev.perplexity) == ("diverged", "水", None)
    assert read.schema_version == 1


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"other": 1}', '{"status": 5}'])
def test_what_is_no_record_reads_as_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    assert read_record(RunFolder(tmp_path)) is None


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"seed": "x"}, ["seed"]),
        ({"dev": {"perplexity": "low", "loss": 3.0}}, ["dev.perplexity"]),
        ({"dev": [1, 2], "threads": 2.5}, ["dev", "threads"]),
        ({"overrides": ["a=1", 5]}, ["overrides"]),
        ({"last": {"train": {"loss": True}}}, ["last.train.loss"]),
        ({"seconds": math.nan, "dev": {"loss": math.inf, "perplexity": math.inf}}, ["dev.loss", "seconds"]),
        ({"steps": 10**400}, ["steps"]),
        (
            {"dev": {"perplexity": 0.5, "loss": -2.0, "accuracy": 1.5}},
            ["dev.accuracy", "dev.loss", "dev.perplexity"],
        ),
        (
            {"dev": {"perplexity": 1.0, "loss": -1e-9, "accuracy": 1}, "seed": 10**30},
            [],
        ),  # rounding is possible
        ({"baselines": {"bigram": -1.0}, "epochs": -1}, ["baselines.bigram", "epochs"]),
        ({"primary": {"metric": "glory"}}, ["primary.metric"]),
        ({"corpus": {"characters": {"dev": "many"}, "name": "tang"}}, ["corpus.characters.dev"]),
        ({"corpus": {"length": {}}}, ["corpus.length"]),  # int | float
        ({"quality": {"free": {"longest_copy": {"a": 1}}}}, ["quality.free.longest_copy"]),
    ],
)
def test_fields_of_the_wrong_type_are_left_out_and_named(values: dict[str, Any], wrong: list[str]) -> None:
    record, names = parse_record({"status": "done", **values})
    assert names == wrong
    assert record.status == "done"


def test_lone_surrogates_are_no_text_and_cost_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.result.write_text(
        '{"status": "done", "\\ud800": 1, "error": "a\\udfff \\ud83d\\ude00", "seconds": 2.5}'
    )
    read = read_record(folder)
    assert read is not None
    assert (read.error, read.seconds) == ("a? 😀", 2.5)
    with pytest.raises(ValueError, match="no record"):
        parse_record({"status": "done", "\ud800": 1})


def test_fields_of_a_later_version_are_kept(tmp_path: Path) -> None:
    record, wrong = parse_record({"status": "done", "schema": 9, "new": {"a": 1}, "dev": {"new": 2}})
    assert wrong == []
    assert record.model_dump(by_alias=True, exclude_unset=True) == {
        "schema": 9, "status": "done", "dev": {"new": 2}, "new": {"a": 1}
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Record.model_fields, "x"]), JSON), st.sampled_from(["done", "x"]))
def test_whatever_lies_in_a_file_is_read_or_named(values: dict[str, Any], status: str) -> None:
    values = {**values, "status": status}
    record, wrong = parse_record(values)
    assert record.status == status
    for name, value in values.items():
        if name in Record.model_fields and name not in ("status", "schema_version") and value is not None:
            touched = any(path.partition(".")[0] == name for path in wrong)
            assert touched or getattr(record, name) is not None
