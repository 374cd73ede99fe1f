"""Poems and figures as HTML; in a browser: test_slow_demo.py."""

from tangsweep.demo import poem_html
from tangsweep.generation.poem import Character, GeneratedPoem
from tangsweep.prosody.form import Form
from tangsweep.runs.record import Quality, QualityFigures
from tests.reporting.written_sweeps import QUALITY


def test_poems_are_escaped_and_carry_probabilities() -> None:
    characters = (Character("山", 0.25, (("<月>", 0.5), ("水", 0.0001))), Character("&", 1.0))
    poem = GeneratedPoem("山", Form(1, 2), characters, 3.0, 4, "平起<b>", "人")
    html = poem_html.poems_html([poem], vertical=True)
    assert 'class="lines down"' in html
    assert "山  25.0%\n&lt;月&gt;  50.0%\n水  &lt; 0.1%" in html
    assert "平起&lt;b&gt;, 韻 人, perplexity 2.1" in html
    assert "<b>" not in html
    assert html.count('class="line"') == 2
    assert "，" in html and "。" in html
    assert "--surprise:0.15" in html  # −log₁₀ 0.25 / 4
    assert '--surprise:0.00">certain' in html  # the legend has the same shades
    assert '--surprise:0.50">one in 100<' in html
    assert '--surprise:1.00">less likely' in html
    assert poem_html.error_html("<b>") == '<p class="mistake" role="alert">&lt;b&gt;</p>'
    assert poem_html.error_html("") == poem_html.note_html("") == ""


def test_quality_of_a_run() -> None:
    html = poem_html.quality_html(Quality.model_validate(QUALITY))
    assert "62% of its lines have five or seven characters" in html
    assert "<th>Pairs of lines that should rhyme and do</th><td>7%</td><td>–</td>" in html
    assert "modern" not in html
    assert "modern Mandarin" in poem_html.quality_html(
        Quality.model_validate({**QUALITY, "prosody": "modern"})
    )
    assert "was not measured" in poem_html.quality_html(None)


def test_every_figure_of_the_table_exists() -> None:
    assert poem_html.QUALITY_ROWS.keys() <= QualityFigures.model_fields.keys()
