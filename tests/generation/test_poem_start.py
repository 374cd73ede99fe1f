"""What a poem starts from: first lines, acrostics and prompts."""

import pytest

from tangsweep.errors import UserError
from tangsweep.generation.constraints import PoemSpec
from tangsweep.generation.decoding import Decoding
from tangsweep.generation.poem_composer import PoemComposer
from tangsweep.generation.poem_start import StartEncoder
from tangsweep.prosody.form import REGULAR_FORMS, Form
from tests.generation.verses import model, vocabulary


def test_acrostics() -> None:
    words = vocabulary()
    composer = PoemComposer(model(words), words)
    form = REGULAR_FORMS["qijue"]
    [[poem]] = composer.compose(
        PoemSpec(form), [StartEncoder(words).encode_acrostic("春夏秋冬", form)], Decoding(0.8), 0
    )
    assert [line[0] for line in poem.lines] == ["春", "夏", "秋", "冬"]
    for text, more in (("春夏秋", "fewer"), ("春夏秋冬春", "more")):
        with pytest.raises(UserError, match=f"has {more} characters .* than the poem has lines"):
            StartEncoder(words).encode_acrostic(text, form)
    encoder = StartEncoder(words, skip=True)
    assert encoder.encode_acrostic("春龘秋冬", form).ids.keys() == {0, 14, 21}
    assert encoder.skipped == ["龘"]


def test_unknown_characters_are_named_or_skipped() -> None:
    with pytest.raises(UserError, match=r"^龍、龘 does not occur"):
        StartEncoder(vocabulary()).encode_start("山龙龘", Form(5, 4))
    with pytest.raises(UserError, match="longer than a line of 2"):
        StartEncoder(vocabulary()).encode_start("山月水", Form(2, 4))
    with pytest.raises(UserError, match=r"， is no character of a line"):
        StartEncoder(vocabulary()).encode_start("山，", Form(5, 4))
    encoder = StartEncoder(vocabulary(), skip=True)
    assert encoder.encode_start("山龙月", Form(5, 4)).name == "山月"
    assert encoder.encode_prompt("龙日，") == tuple(vocabulary().encode("日，"))
    assert encoder.skipped == ["龍"]
