import pytest

from tangsweep.prosody.lookup import ModernProsody, mandarin_final


@pytest.mark.parametrize(
    ("character", "final", "rhyme", "tone"),
    [
        ("天", "ian", "an", "平"),
        ("關", "uan", "an", "平"),
        ("圓", "van", "an", "平"),
        ("秋", "iou", "ou", "平"),
        ("水", "uei", "ei", "仄"),
        ("窮", "iong", "ong", "平"),
        ("月", "ve", "ê", "仄"),
        ("波", "o", "o", "平"),
        ("多", "uo", "o", "平"),
        ("綠", "v", "v", "仄"),
        ("日", "i", "i", "仄"),
        ("𢣤", None, None, None),
        ("，", None, None, None),
    ],
)
def test_mandarin_readings(character: str, final: str | None, rhyme: str | None, tone: str | None) -> None:
    prosody = ModernProsody()
    assert mandarin_final(character) == final
    assert (prosody.rhyme(character), prosody.tone(character)) == (rhyme, tone)
