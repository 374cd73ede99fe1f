"""`make gradients` writes what it measures, and nothing it measures is far from autograd."""

import re
from pathlib import Path

import pytest

from tests.analytic import errors


def test_the_page_is_regenerated_and_every_error_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "gradients.md"
    marks = "".join(f"<!-- {n}: begin -->\nold\n<!-- {n}: end -->\n" for n in ("errors", "slips", "rtrl"))
    page.write_text(f"before\n{marks}after\n", encoding="utf-8")
    monkeypatch.setattr(errors, "PAGE", page)
    errors.main()
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    measured = [float(e) for e in re.findall(r"` \| ([0-9.e+-]+) \|", text)]
    assert len(measured) == len(re.findall(r"\| `[a-z_.A-Z]+` \|", text)) > 50
    assert max(measured) < 1e-12
    assert "| 160 |" in text


def test_every_slip_is_an_error_worth_the_name() -> None:
    assert min(error for *_, error in errors.slips()) > 0.01
