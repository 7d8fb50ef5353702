"""Where a statement ends: at a semicolon that stands in no text, name or comment."""

from __future__ import annotations

import re

_PIECES = re.compile(
    r"""
    (?P<quote>['"])(?:(?!(?P=quote)).|(?P=quote){2})*((?P<closed>(?P=quote))|\Z)  # a text or a quoted name
    | (?P<dollars>\$\w*\$).*?((?P<paid>(?P=dollars))|\Z)                         # a text between dollars
    | --[^\n]*((?P<line>\n)|\Z)                                                # a comment to the end of the line
    | /\*.*?((?P<comment>\*/)|\Z)                                              # a comment
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSED = ("closed", "paid", "line", "comment", "end")
_BLANK = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:(?!\*/).)*(?:\*/|\Z))*", re.DOTALL)


def split(text: str) -> tuple[list[str], str]:
    """Return the whole statements of `text`, and what comes after the last semicolon.

    Examples
    --------
    >>> split("SELECT 1; SELECT ';'; SEL")
    (['SELECT 1', "SELECT ';'"], ' SEL')
    """
    statements, start = [], 0
    for piece in _PIECES.finditer(text):
        if piece.group("end"):
            statements.append(text[start : piece.start()].strip())
            start = piece.end()
    return [each for each in statements if not blank(each)], text[start:]


def blank(text: str) -> bool:
    """Whether there is nothing in `text` but space and comments."""
    return _BLANK.fullmatch(text) is not None


def inside_text(text: str) -> bool:
    """Whether `text` ends within a quoted text, a quoted name or a comment."""
    pieces = list(_PIECES.finditer(text))
    return bool(pieces) and pieces[-1].end() == len(text) and not any(pieces[-1][name] for name in _CLOSED)
