import pytest

from tangsweep.errors import UserError
from tangsweep.generation.request import Request
from tangsweep.prosody.form import NAMED, Form


@pytest.mark.parametrize(
    ("request_", "form"),
    [
        (Request(), Form(7, 4)),
        (Request(chars=5), Form(5, 4)),
        (Request(acrostic="春夏秋冬春夏"), Form(7, 6)),
        (Request(acrostic="春夏", lines=3), Form(7, 3)),
        (Request(form="wulu", acrostic="春夏"), NAMED["wulu"]),
    ],
)
def test_the_form_that_is_meant(request_: Request, form: Form) -> None:
    request_.check()
    assert request_.poem_form == form


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request(chars=0), "--chars 0 makes no sense: it must be from 1 to 100"),
        (Request(samples=1001), "--samples 1001 makes no sense"),
        (Request(beam=0), "--beam 0 makes no sense"),
        (Request(top_k=0), "--top-k 0 makes no sense"),
        (Request(temperature=-1), "--temperature -1 makes no sense"),
        (Request(temperature=float("nan")), "--temperature nan makes no sense"),
        (Request(top_p=0), "--top-p 0 makes no sense"),
        (Request(top_p=1.5), "--top-p 1.5 makes no sense"),
        (Request(start=""), "the start is empty"),
        (Request(acrostic=""), "the start is empty"),
        (Request(rhyme="人春"), "--rhyme 人春 makes no sense"),
        (Request(length=9, form="wujue"), "--length is for running text, --form is for poems"),
        (Request(length=9, rhyme=""), "--length is for running text, --rhyme is for poems"),
        (Request(length=9, samples=2), "--length is for running text, --samples is for poems"),
        (Request(form="wujue", lines=4), "--form has its own characters and lines"),
        (Request(form="sonnet"), "--form 'sonnet' does not exist; there are: wujue"),
        (Request(tones="flat"), "--tones 'flat' does not exist; there are: any"),
        (Request(acrostic="山" * 101), "the acrostic is too long"),
        (Request(start="山\x07"), r"--start holds '\\x07', which is no character"),
        (Request(prompt="\udcff"), r"--prompt holds '\\udcff', which is no character"),
        (Request(length=9, skip_unknown=True), "--length is for running text, --skip-unknown is for poems"),
        (Request(beam=3, temperature=0.5), "--beam does not sample: leave out it or --temperature"),
        (Request(beam=3, top_p=0.5), "--beam does not sample: leave out it or --top-p"),
        (Request(beam=3, samples=4), "--samples 4 is more than --beam 3 finds"),
        (Request(temperature=0, samples=2), "samples are all the same at temperature 0"),
    ],
)
def test_what_makes_no_sense(request_: Request, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        request_.check()
