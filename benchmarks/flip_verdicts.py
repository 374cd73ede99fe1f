"""Part of `benchmarks/faults.py`: whether what was seen after a flip is what is seen without one."""

import math
from pathlib import Path
from typing import NamedTuple

from kills import differences
from observed_runs import Observed

STAGES = ("before", "after", "left")


class Verdict(NamedTuple):
    """What became of a flip: `same`, `repaired`, `named`, or `wrong`, with the reason."""

    name: str
    reason: str = ""


def judge(reference: Observed, observed: Observed, file: Path) -> Verdict:
    """Compare what was observed after a flip in `file` with what is observed without one."""
    if "crash" in observed:
        return Verdict("wrong", observed["crash"])
    texts = [observed["printed"], *(text for s in ("before", "after") for text in texts_of(observed[s]))]
    is_named = any(file.name in text for text in texts)
    if any("Traceback" in text for text in texts):
        return Verdict("wrong", f"a traceback: {texts}")
    for stage in ("before", "after"):
        if wrong := wrong_numbers(reference[stage]["tables"], observed[stage]["tables"]):
            return Verdict("wrong", f"{stage}: {wrong[:3]}")
        for expected, poem in zip(reference[stage]["poems"], observed[stage]["poems"], strict=True):
            if poem != expected and not (poem[0] and file.name in poem[1]):
                return Verdict("wrong", f"{stage}: composed {poem} for {expected}")
        if observed[stage]["tones"] != reference[stage]["tones"] and observed[stage]["tones"][0] != "modern":
            return Verdict("wrong", f"{stage}: tones {observed[stage]['tones']}")
    stages = [k for k in STAGES if plain(observed[k]) != plain(reference[k])]
    if (stages or observed["status"]) and not is_named and not only_refused(reference, observed):
        found = [different(reference[stage], observed[stage]) for stage in stages]
        return Verdict("wrong", f"nothing is said of it: {found}")
    if "after" in stages or "left" in stages or observed["status"]:
        return Verdict("named")
    return Verdict("repaired" if stages or is_named else "same")


def texts_of(look: Observed) -> list[str]:
    return [*look["named"], *(text for _, text in look["poems"])]


def plain(stage: Observed) -> Observed:
    """Without what may be said in any words, and what is built again where it is needed."""
    return {key: value for key, value in stage.items() if key not in ("named", "tones")}


def different(one: Observed, other: Observed) -> list[str]:
    return differences(plain(one), plain(other))


def only_refused(reference: Observed, observed: Observed) -> bool:
    """Whether nothing differs but checkpoints that are refused by whoever reads them."""
    if observed["status"] or any(different(reference[k], observed[k]) for k in ("before", "after")):
        return False
    found = different(reference["left"], observed["left"])
    parts = (path.split("/") for path in found)  # `/RUN/weights/CHECKPOINT/…`
    return all(
        part[2] == "weights" and observed["left"][part[1]]["weights"].get(part[3]) == "refused"
        for part in parts
    )


def wrong_numbers(expected: Observed, tables: Observed) -> list[str]:
    """Return the cells of the tables of runs and epochs that hold another number than they should."""
    wrong = []
    for name, keys in {"runs": ("run",), "epochs": ("run", "epoch")}.items():
        rows = {tuple(row[key] for key in keys): row for row in expected.get(name, [])}
        for row in tables.get(name, []):
            whole = rows.get(tuple(row[key] for key in keys))
            if whole is None:
                wrong.append(f"{name}: a row {[row[key] for key in keys]}")
                continue
            for column, value in row.items():
                is_number = isinstance(value, int | float) and not (
                    isinstance(value, float) and math.isnan(value)
                )
                if is_number and value != whole.get(column, value):
                    wrong.append(f"{name} {column}: {value} for {whole[column]}")
    return wrong
