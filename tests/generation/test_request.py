import pytest

from tangsweep.errors import UserError
from tangsweep.generation.request import GenerationRequest
from tangsweep.prosody.form import REGULAR_FORMS, Form


@pytest.mark.parametrize(
    ("request_", "form"),
    [
        (GenerationRequest(), Form(7, 4)),
        (GenerationRequest(chars=5), Form(5, 4)),
        (GenerationRequest(acrostic="春夏秋冬春夏"), Form(7, 6)),
        (GenerationRequest(acrostic="春夏", lines=3), Form(7, 3)),
        (GenerationRequest(form="wulu", acrostic="春夏"), REGULAR_FORMS["wulu"]),
    ],
)
def test_the_form_of_a_request(request_: GenerationRequest, form: Form) -> None:
    request_.check()
    assert request_.poem_form == form


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (GenerationRequest(chars=0), "--chars 0 is invalid: it must be from 1 to 100"),
        (GenerationRequest(samples=1001), "--samples 1001 is invalid"),
        (GenerationRequest(beam=0), "--beam 0 is invalid"),
        (GenerationRequest(top_k=0), "--top-k 0 is invalid"),
        (GenerationRequest(temperature=-1), "--temperature -1 is invalid"),
        (GenerationRequest(temperature=float("nan")), "--temperature nan is invalid"),
        (GenerationRequest(top_p=0), "--top-p 0 is invalid"),
        (GenerationRequest(top_p=1.5), "--top-p 1.5 is invalid"),
        (GenerationRequest(start=""), "the start is empty"),
        (GenerationRequest(acrostic=""), "the start is empty"),
        (GenerationRequest(rhyme="人春"), "--rhyme 人春 is invalid"),
        (GenerationRequest(length=9, form="wujue"), "--length is for running text, --form is for poems"),
        (GenerationRequest(length=9, rhyme=""), "--length is for running text, --rhyme is for poems"),
        (GenerationRequest(length=9, samples=2), "--length is for running text, --samples is for poems"),
        (GenerationRequest(form="wujue", lines=4), "--form has its own characters and lines"),
        (GenerationRequest(form="sonnet"), "--form 'sonnet' does not exist; there are: wujue"),
        (GenerationRequest(tones="flat"), "--tones 'flat' does not exist; there are: any"),
        (GenerationRequest(acrostic="山" * 101), "the acrostic is too long"),
        (GenerationRequest(start="山\x07"), r"--start holds '\\x07', which is no character"),
        (GenerationRequest(prompt="\udcff"), r"--prompt holds '\\udcff', which is no character"),
        (
            GenerationRequest(length=9, skip_unknown=True),
            "--length is for running text, --skip-unknown is for poems",
        ),
        (
            GenerationRequest(beam=3, temperature=0.5),
            "--beam does not sample, --temperature is for sampling: leave one of them out",
        ),
        (GenerationRequest(beam=3, top_p=0.5), "--beam does not sample, --top-p is for sampling"),
        (GenerationRequest(samples=2, keep=9), "--keep 9 is more than --samples 2"),
        (GenerationRequest(form="qijui"), "--form 'qijui' does not exist; did you mean qijue?"),
        (GenerationRequest(beam=3, samples=4), "--samples 4 is more than --beam 3 finds"),
        (GenerationRequest(temperature=0, samples=2), "samples are all the same at temperature 0"),
    ],
)
def test_invalid_requests_name_the_option(request_: GenerationRequest, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        request_.check()
