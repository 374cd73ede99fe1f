"""Figures of texts for which they are known, and of poems from random weights."""

import pytest
import torch

from tangsweep.corpora.vocabulary import EOS, SPECIAL_TOKENS, Vocabulary
from tangsweep.evaluation import poem_quality
from tangsweep.evaluation.poem_quality import TrainingText
from tangsweep.generation.poem import Character, GeneratedPoem
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.prosody.conformity import RuleCount
from tangsweep.prosody.form import Form
from tests.generation.verses import CHARACTERS, model, random_prosody, training_sequences, vocabulary

WORDS = vocabulary(marks="，。")


def test_regular_lines_are_counted() -> None:
    texts = ["日日日日日，月月月月月。月月月月月月月。", "日日日，月月月。", "日日日日日日日，月月", ""]
    assert poem_quality.count_regular_lines(texts) == RuleCount(2 + 0 + 1, 3 + 2 + 1)
    assert poem_quality.count_regular_lines(["日日日日日"]).share is None  # no line was closed


def test_distinct_n() -> None:
    assert poem_quality.distinct_n(["日月日", "日月"], 1) == 2 / 5
    assert poem_quality.distinct_n(["日月日", "日月"], 2) == 2 / 3


def test_unconditional_text_ends_where_the_model_ends_it() -> None:
    language_model = model(WORDS)
    with torch.no_grad():
        language_model.output.weight.zero_()
        language_model.output.bias.fill_(-50.0)
        language_model.output.bias[EOS] = 0.0
    assert poem_quality.write_unconditional_texts(language_model, WORDS, 3, 1.0, 0) == ["", "", ""]
    with torch.no_grad():
        language_model.output.bias[EOS] = -100.0
        language_model.output.bias[:EOS] = 10.0  # <pad>, <oov>, <bos>: never written
    texts = poem_quality.write_unconditional_texts(language_model, WORDS, 3, 1.0, 0)
    assert [len(text) for text in texts] == [poem_quality.MAX_UNCONDITIONAL_LENGTH] * 3
    assert set("".join(texts)) <= set(CHARACTERS + "，。")


def test_figures_of_random_weights() -> None:
    prosody = random_prosody(CHARACTERS, 3, groups=1)
    composer = PoemComposer(model(WORDS), WORDS)
    training = training_sequences(WORDS, CHARACTERS + "。", "日月，山水。")
    quality = poem_quality.measure_quality(composer, prosody, training)
    assert (quality.poems, quality.prosody) == (100, "learned")
    if quality.constrained is None:
        assert quality.not_constrained and "line" in quality.not_constrained
    else:
        assert (quality.constrained.rhyme, quality.constrained.tones) == (1.0, 1.0)
    assert quality.free is not None
    for figures in (quality.free, quality.constrained or quality.free):
        for name in ("rhyme", "tones", "copied_line", "distinct_1", "distinct_3"):
            assert 0 <= getattr(figures, name) <= 1
        assert figures.distinct_1 <= figures.distinct_2 <= figures.distinct_3
    assert poem_quality.measure_quality(composer, prosody, training) == quality


def test_a_model_that_knows_one_line_copies_it() -> None:
    """Greedy by its bias: every character is 山, as in the only training line."""
    language_model = model(WORDS)
    with torch.no_grad():
        language_model.output.weight.zero_()
        language_model.output.bias.fill_(-100.0)
        language_model.output.bias[WORDS.encode("山")[0]] = 0.0
    prosody = random_prosody(CHARACTERS, 3)
    composer = PoemComposer(language_model, WORDS)
    figures = poem_quality.measure_quality(
        composer, prosody, training_sequences(WORDS, "山山山山山，", "日")
    ).free
    assert figures is not None
    assert figures.longest_copy == 5
    assert figures.copied_line == 0.5  # lines of five are copies, lines of seven are not
    assert figures.distinct_1 == pytest.approx(1 / (25 * (20 + 28 + 40 + 56)))
    assert figures.rhyme == 0.0  # the same character is no rhyme


def test_where_the_vocabulary_cannot_rhyme_the_record_says_so() -> None:
    words = Vocabulary(WORDS.tokens[:6])
    prosody = random_prosody(CHARACTERS, 0, groups=8)
    quality = poem_quality.measure_quality(
        PoemComposer(model(words), words), prosody, training_sequences(WORDS, "日日")
    )
    assert quality.constrained is None
    assert "line" in (quality.not_constrained or "")


def poem_of(characters: str) -> GeneratedPoem:
    form = Form(5, len(characters) // 5)
    return GeneratedPoem("", form, tuple(Character(c, 1.0) for c in characters), 1.0, 11)


def test_only_a_whole_line_of_the_training_text_is_a_copied_line() -> None:
    prosody, poem = random_prosody(CHARACTERS, 3), poem_of("日月山水風花海湖夜紅")

    def figures(*texts: str) -> tuple[int, float]:
        training_text = TrainingText.from_sequences(training_sequences(WORDS, *texts), WORDS)
        quality = poem_quality.quality_figures([poem], prosody, WORDS, training_text)
        return quality.longest_copy, quality.copied_line

    assert figures("春日。", "花海湖夜紅，") == (5, 1.0)
    assert figures("水風花海湖。") == (5, 0.0)  # over the end of a line of ours
    assert figures("日花海，湖夜紅月。") == (5, 0.0)  # over the end of a line of theirs
    assert figures("日花海湖夜紅月。") == (5, 0.0)  # part of a longer line
    assert figures("花海龘湖夜紅。")[0] == 3  # an unknown character is no neighbour less


def test_the_shuffled_figures_are_of_the_same_characters() -> None:
    prosody, poem = random_prosody(CHARACTERS, 3), poem_of("日月山水風" * 4)
    training_text = TrainingText.from_sequences(training_sequences(WORDS, "日"), WORDS)
    quality = poem_quality.quality_figures([poem], prosody, WORDS, training_text)
    assert 0 < quality.tones_shuffled <= 1
    assert poem_quality._shuffle("日月山水") != "日月山水"
    assert sorted(poem_quality._shuffle("日月山水")) == sorted("日月山水")


def test_a_model_that_can_write_no_line_has_no_figures_and_no_error() -> None:
    words = Vocabulary([*SPECIAL_TOKENS, "，", "。", "（"])
    quality = poem_quality.measure_quality(
        PoemComposer(model(words), words), random_prosody("", 0), training_sequences(WORDS, "日")
    )
    assert quality.free is None
    assert "the vocabulary has no character" in (quality.not_free or "")
