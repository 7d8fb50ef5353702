"""An answer as a ruled table that fits a terminal, however long or wide it is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDEST_CELL = 48
"""Characters of a cell that are shown in a table; a record shows all."""

_RECORDS = 4
"""Up to so many rows that are too wide are shown one column a line."""

_GAP = 2
_LEAST_CELL = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """A drawn answer: its lines, and how many of its columns did not fit."""

    lines: list[str]
    left_out: int


def cell(value: object) -> str:
    """Return a value as one line: floats to four digits, nothing as ``-``, control characters escaped.

    What a tag holds must neither break the table nor steer the terminal.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(cell(item) for item in value) + "]"
    return "".join(_visible(letter) for letter in str(value))


def tab_separated(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table for a pipe or a file."""
    yield "\t".join(cell(column) for column in columns)
    for row in rows:
        yield "\t".join(cell(value) for value in row)


def ruled(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> Shown:
    """Draw a table in `width` characters.

    Cells are cut to 48 characters, or less where that lets the table fit. Where it still does not fit, a few rows
    are drawn as records, one column a line; many rows lose their last columns, and the answer says how many.
    """
    texts = [[cell(value) for value in row] for row in rows]
    names = [cell(column) for column in columns]
    numeric = [_numeric([row[place] for row in rows]) for place in range(len(names))]
    widths = [
        max([_length(name)] + [min(_length(row[place]), WIDEST_CELL) for row in texts])
        for place, name in enumerate(names)
    ]
    widths = _squeezed(widths, [_length(name) for name in names], numeric, width)
    kept = _fitting(widths, width)
    if kept < len(names) and 0 < len(rows) <= _RECORDS:
        return Shown(_records(names, texts), 0)
    lines = [_line(names, widths[:kept], numeric), "  ".join("─" * each for each in widths[:kept])]
    lines += [_line(row, widths[:kept], numeric) for row in texts]
    return Shown(lines, len(names) - kept)


def _squeezed(widths: list[int], headings: list[int], numeric: list[bool], width: int) -> list[int]:
    """Narrow the widest columns of text, by one at a time, as long as the table is too wide and it helps."""
    widths = list(widths)
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    room = [
        max(0, each - max(heading, _LEAST_CELL)) if not number else 0
        for each, heading, number in zip(widths, headings, numeric, strict=True)
    ]
    if excess <= 0 or excess > sum(room):
        return widths
    while excess > 0:
        place = max((at for at in range(len(widths)) if room[at]), key=lambda at: widths[at])
        widths[place] -= 1
        room[place] -= 1
        excess -= 1
    return widths


def _fitting(widths: Sequence[int], width: int) -> int:
    """Return how many columns fit, one at least."""
    used = 0
    for place, each in enumerate(widths):
        used += each + (_GAP if place else 0)
        if used > width and place:
            return place
    return len(widths)


def _records(names: Sequence[str], texts: Sequence[Sequence[str]]) -> list[str]:
    widest = max(_length(name) for name in names)
    lines: list[str] = []
    for number, row in enumerate(texts, 1):
        lines.append(f"── row {number} ──")
        lines += [f"{_padded(name, widest, right=True)}  {text}" for name, text in zip(names, row, strict=True)]
    return lines


def _line(texts: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = [_padded(texts[place], width, right=numeric[place]) for place, width in enumerate(widths)]
    return "  ".join(cells).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)


def _length(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _numeric(values: Sequence[object]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def _visible(letter: str) -> str:
    if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp"):
        return letter.encode("unicode_escape").decode()
    return letter
