from tangsweep.prosody.form import REGULAR_FORMS, Form, describe_form


def test_positions_and_punctuation() -> None:
    form = Form(5, 3)
    assert [form.line_and_column(p) for p in (0, 4, 5, 14)] == [(0, 0), (0, 4), (1, 0), (2, 4)]
    assert [form.last_position(line) for line in range(3)] == [4, 9, 14]
    assert [form.punctuation_after(line) for line in range(3)] == ["，", "。", "。"]


def test_descriptions() -> None:
    assert (describe_form(REGULAR_FORMS["qilu"]), describe_form(Form(5, 3))) == (
        "七律",
        "3 lines of 5 characters",
    )
