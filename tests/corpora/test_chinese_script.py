import pytest

from tangsweep.corpora.chinese_script import to_traditional


@pytest.mark.parametrize(
    ("text", "vocabulary", "expected"),
    [
        ("红", "紅", "紅"),
        ("日红山夜湖海月", "日紅山夜湖海月", "日紅山夜湖海月"),
        ("紅", "紅", "紅"),  # traditional already
        ("红", "红", "红"),  # a corpus in simplified characters
        ("红", "", "紅"),  # in neither form: given in the form that the corpus would use
        ("余后", "余後后餘", "余后"),  # words of their own in traditional text
        ("余后", "餘後", "餘後"),
    ],
)
def test_characters_outside_the_vocabulary_become_traditional(
    text: str, vocabulary: str, expected: str
) -> None:
    assert to_traditional(text, vocabulary) == expected
