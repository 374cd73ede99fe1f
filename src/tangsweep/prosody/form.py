"""Forms of poems: the number of lines, their length, and their punctuation."""

import re
from typing import NamedTuple

LINE_END = re.compile("[，。？！；：、]")  # what closes a line in the corpus


class Form(NamedTuple):
    """`lines` lines of `chars` characters; ， closes a couplet's first line, 。 its second."""

    chars: int
    lines: int

    @property
    def positions(self) -> int:
        """The number of characters of a poem, without punctuation."""
        return self.chars * self.lines

    def line_and_column(self, position: int) -> tuple[int, int]:
        """Return line and column of the character at `position`; all count from 0."""
        return divmod(position, self.chars)

    def last_position(self, line: int) -> int:
        """Return the position of the last character of `line`."""
        return (line + 1) * self.chars - 1

    def split(self, text: str) -> list[str]:
        """Split the characters of a poem, without punctuation, into its lines."""
        return [text[first : first + self.chars] for first in range(0, len(text), self.chars)]

    def punctuation_after(self, line: int) -> str:
        """Return the punctuation after `line`, counted from 0; a poem always ends with 。"""
        return "。" if line % 2 or line == self.lines - 1 else "，"


# The regular forms of Tang poetry, by their names on the command line.
REGULAR_FORMS = {"wujue": Form(5, 4), "qijue": Form(7, 4), "wulu": Form(5, 8), "qilu": Form(7, 8)}
CHINESE_FORM_NAMES = {"wujue": "五絕", "qijue": "七絕", "wulu": "五律", "qilu": "七律"}


def describe_form(form: Form) -> str:
    """Return the Chinese name of a regular form, or the size of any other."""
    for name, regular in REGULAR_FORMS.items():
        if regular == form:
            return CHINESE_FORM_NAMES[name]
    return f"{form.lines} lines of {form.chars} characters"
