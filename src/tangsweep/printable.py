"""Makes text safe to print: a terminal would obey the control characters of a book, an override or an error.

Whoever prints or renders text that somebody else wrote passes it through here.
"""

_CONTROL_PICTURES = 0x2400  # ␀; the picture of each ASCII control character stands at its own offset
_ESCAPED = (
    *range(0x7F, 0xA0),  # DEL, and C1: 0x9B begins an escape sequence as ESC [ does
    *range(0x202A, 0x202F),  # turn the direction of writing
    *range(0x2066, 0x206A),
    0x2028,  # line separators, which some programs break a line at
    0x2029,
    *range(0xD800, 0xE000),  # lone surrogates, which cannot be encoded
)
_MARKS_IN_A_LINE = {code: chr(_CONTROL_PICTURES + code) for code in range(0x20)} | {
    code: f"<U+{code:04X}>" for code in _ESCAPED
}
_MARKS = {code: mark for code, mark in _MARKS_IN_A_LINE.items() if code not in (0x09, 0x0A)}


def printable(text: str) -> str:
    """Return the text with a visible mark for every control character: ␛ for ESC, <U+009B> for others.

    Tabs and line breaks stay. Applying it twice changes nothing.
    """
    return text.translate(_MARKS)


def printable_line(text: str) -> str:
    """Return the same in one line: of tabs and line breaks too there are marks, ␉ and ␊."""
    return text.translate(_MARKS_IN_A_LINE)
