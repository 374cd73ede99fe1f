"""The values of the page's form become a request, or an error."""

import pytest

from tangsweep.demo.form_values import CUSTOM_FORM, MAX_CHARACTERS, FormValues
from tangsweep.errors import UserError
from tangsweep.prosody.form import Form

VALUES = FormValues("qijue", 6, 3, "start", "山", True, "any", False, False, 0.8, 1, 1, 0, False)


def test_values_become_a_request() -> None:
    assert (VALUES.request.poem_form, VALUES.request.start, VALUES.request.rhyme) == (Form(7, 4), "山", "")
    other = VALUES._replace(
        form=CUSTOM_FORM, begins="acrostic", text=" 山水风 ", rhyme=False, tones="free"
    ).request
    assert (other.poem_form, other.acrostic, other.start) == (Form(6, 3), "山水风", None)
    assert (other.rhyme, other.tones, other.top_p) == (None, None, None)
    assert VALUES._replace(begins="nothing").request.start is None
    assert VALUES._replace(text="  ").request.start is None  # an empty text is no start
    with pytest.raises(UserError, match="the start is empty"):
        VALUES._replace(begins="acrostic", text="").request.check()
    assert len(VALUES._replace(text="山" * 10_000).request.start or "") == MAX_CHARACTERS + 1
    assert VALUES._replace(samples=10_000).request.samples == 8
    for invalid in ({"samples": None}, {"seed": 1.5}, {"top_p": "x"}, {"temperature": float("nan")}):
        with pytest.raises(UserError, match="must be a"):
            _ = VALUES._replace(**invalid).request  # type: ignore[arg-type]
    assert VALUES._replace(text=None).request.start is None  # type: ignore[arg-type]
    with pytest.raises(UserError, match="does not exist"):
        VALUES._replace(form="<b>").request.check()
    for wrong in ({"lines": 10_000}, {"chars": -1}):
        with pytest.raises(UserError, match="is invalid"):
            VALUES._replace(form=CUSTOM_FORM, **wrong).request.check()  # type: ignore[arg-type]
