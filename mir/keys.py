"""Musical keys by name, and where they stand on the circle of fifths."""

from __future__ import annotations

import math
from typing import Final

NAMES: Final = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
"""Tonics by pitch class, 0 to 11, as they are mostly spelled."""

_RELATIVE: Final = 3
_FIFTH_SEMITONES: Final = 7


def key_name(pitch_class: float | None, is_major: float | None) -> str | None:
    """Return a key as it is read, with its number on the Camelot wheel; None where it is unknown.

    Neighbouring numbers, and the two letters of one number, mix well.

    Examples
    --------
    >>> key_name(9, 0), key_name(0, 1), key_name(None, None)
    ('A minor (8A)', 'C major (8B)', None)
    """
    if pitch_class is None or is_major is None or math.isnan(pitch_class) or math.isnan(is_major):
        return None
    major = is_major > 0.5
    number = (fifths(pitch_class, is_major=major) + 7) % 12 + 1
    return f"{NAMES[round(pitch_class) % 12]} {'major' if major else 'minor'} ({number}{'B' if major else 'A'})"


def fifths(pitch_class: float, *, is_major: bool) -> int:
    """Return how many fifths above C a key's major scale begins, 0 to 11; a minor key has that of its relative.

    Examples
    --------
    >>> [fifths(7, is_major=True), fifths(4, is_major=False), fifths(5, is_major=True)]
    [1, 1, 11]
    """
    tonic = round(pitch_class) + (0 if is_major else _RELATIVE)
    return tonic * _FIFTH_SEMITONES % 12
