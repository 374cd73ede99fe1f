"""What the page is made of, without a browser; in one: test_slow_demo.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tangsweep.demo import first_run, models, poem_html
from tangsweep.demo.form_values import MAX_CHARACTERS, CUSTOM_FORM, FormValues
from tangsweep.errors import UserError
from tangsweep.generation.poem import Character, Poem
from tangsweep.prosody.form import Form
from tests.conftest import QUIET, SMALL, Ran
from tests.report.made import QUALITY

PAGE = FormValues("qijue", 6, 3, "start", "山", True, "any", False, False, 0.8, 1, 1, 0, False)


def test_what_the_parts_say_becomes_a_request() -> None:
    assert (PAGE.request.poem_form, PAGE.request.start, PAGE.request.rhyme) == (Form(7, 4), "山", "")
    other = PAGE._replace(form=CUSTOM_FORM, begins="acrostic", text=" 山水风 ", rhyme=False, tones="free").request
    assert (other.poem_form, other.acrostic, other.start) == (Form(6, 3), "山水风", None)
    assert (other.rhyme, other.tones, other.top_p) == (None, None, None)
    assert PAGE._replace(begins="nothing").request.start is None
    assert PAGE._replace(text="  ").request.start is None  # an empty text is no beginning
    with pytest.raises(UserError, match="the start is empty"):
        PAGE._replace(begins="acrostic", text="").request.check()
    assert len(PAGE._replace(text="山" * 10_000).request.start or "") == MAX_CHARACTERS + 1
    assert PAGE._replace(samples=10_000).request.samples == 8
    for odd in ({"samples": None}, {"seed": 1.5}, {"top_p": "x"}, {"temperature": float("nan")}):
        with pytest.raises(UserError, match="must be a"):
            _ = PAGE._replace(**odd).request  # type: ignore[arg-type]
    assert PAGE._replace(text=None).request.start is None  # type: ignore[arg-type]
    with pytest.raises(UserError, match="does not exist"):
        PAGE._replace(form="<b>").request.check()
    for wrong in ({"lines": 10_000}, {"chars": -1}):
        with pytest.raises(UserError, match="makes no sense"):
            PAGE._replace(form=CUSTOM_FORM, **wrong).request.check()  # type: ignore[arg-type]


def test_poems_are_drawn_escaped_with_their_odds() -> None:
    characters = (Character("山", 0.25, (("<月>", 0.5), ("水", 0.0001))), Character("&", 1.0))
    poem = Poem("山", Form(1, 2), characters, 3.0, 4, "平起<b>", "人")
    html = poem_html.poems_html([poem], down=True)
    assert 'class="lines down"' in html
    assert "山  25.0%\n&lt;月&gt;  50.0%\n水  &lt; 0.1%" in html
    assert "平起&lt;b&gt;, 韻 人, perplexity 2.1" in html
    assert "<b>" not in html
    assert html.count('class="line"') == 2
    assert "，" in html and "。" in html
    assert "--surprise:0.15" in html  # −log₁₀ 0.25 / 4
    assert poem_html.error_html("<b>") == '<p class="mistake" role="alert">&lt;b&gt;</p>'
    assert poem_html.error_html("") == poem_html.note_html("") == ""


def test_figures_of_a_run() -> None:
    html = poem_html.quality_html(QUALITY)
    assert "<td>62%</td>" in html
    assert "<th>neighbouring even lines that rhyme</th><td>7%</td><td>–</td>" in html
    assert "modern" not in html
    assert "modern Mandarin" in poem_html.quality_html({**QUALITY, "prosody": "modern"})
    assert "were not measured" in poem_html.quality_html(None)


def test_only_runs_of_poems_under_outputs_are_offered(
    train: Callable[..., Ran], home: Path, tmp_path: Path
) -> None:
    import shutil

    assert models.offered() == {}
    folder = train(base=(*SMALL, *QUIET)).folder
    key = folder.path.relative_to(home / "outputs").as_posix()
    [(offered, label)] = models.offered().items()
    assert offered == key
    assert label.startswith(f"{key} (dev ppl ")
    assert models.chosen(key).path == folder.path
    assert models.model(models.chosen(key)) is models.model(models.chosen(key))
    assert models.quality(models.chosen(key)) is None
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder.path, elsewhere)
    (folder.path.parent / "linked").symlink_to(elsewhere)
    shutil.copytree(folder.path, folder.path.with_name(f"{folder.path.name}.replaced-1"))
    other = folder.path.with_name("other")
    shutil.copytree(folder.path, other)
    (other / "config.yaml").write_text("corpus: {task: book}\n")
    assert list(models.offered()) == [key]
    for name in ("../elsewhere", str(elsewhere), f"{folder.path.parent.name}/linked", "", "nowhere/at-all"):
        with pytest.raises(UserError, match="not, or no longer, under outputs/"):
            models.chosen(name)


def test_a_training_that_fails_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_run, "COMMAND", (*first_run.COMMAND, "optimizer.lr=-1"))
    with pytest.raises(UserError, match=r"training failed: error: optimizer\.lr=-1 makes no sense"):
        list(first_run.train())
