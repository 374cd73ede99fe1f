"""Forms of poems: so many lines of so many characters, punctuation where it belongs."""

import re
from typing import NamedTuple

END = re.compile("[，。？！；：、]")  # what closes a line in the corpus


class Form(NamedTuple):
    """`lines` lines of `chars` characters; ， closes a couplet's first line, 。 its second."""

    chars: int
    lines: int

    @property
    def positions(self) -> int:
        """Characters of a poem, without punctuation."""
        return self.chars * self.lines

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of the character at `position`, all counted from 0."""
        return divmod(position, self.chars)

    def last(self, line: int) -> int:
        """The position of the character that closes `line`."""
        return (line + 1) * self.chars - 1

    def split(self, text: str) -> list[str]:
        """The characters of a poem, without punctuation, line by line."""
        return [text[first : first + self.chars] for first in range(0, len(text), self.chars)]

    def mark(self, line: int) -> str:
        """The punctuation after line `line`, counted from 0; a poem always ends with 。"""
        return "。" if line % 2 or line == self.lines - 1 else "，"


# The regular forms of Tang poetry, as --form names them.
NAMED = {"wujue": Form(5, 4), "qijue": Form(7, 4), "wulu": Form(5, 8), "qilu": Form(7, 8)}
CHINESE = {"wujue": "五絕", "qijue": "七絕", "wulu": "五律", "qilu": "七律"}


def described(form: Form) -> str:
    """`五絕`, or what a form without a name is."""
    for name, regular in NAMED.items():
        if regular == form:
            return CHINESE[name]
    return f"{form.lines} lines of {form.chars} characters"
