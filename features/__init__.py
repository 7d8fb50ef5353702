"""Stems in, numbers out: one extractor an instrument.

Importing this package and reading declarations loads numpy alone; scipy and soxr come with the first measurement.
"""

from __future__ import annotations

from features.base import Column, Description, Extractor, Stems
from features.bass_line import BassLine
from features.drum_rhythm import DrumRhythm
from features.errors import SpaceUnknown
from features.harmony import Harmony
from features.mixture import Mixture
from features.vocal_timbre import VocalTimbre

EXTRACTORS: dict[str, Extractor] = {
    extractor.space: extractor for extractor in (VocalTimbre(), DrumRhythm(), BassLine(), Harmony(), Mixture())
}
"""Every extractor by the name of its space, in the order in which they are shown."""

INSTRUMENTS: dict[str, str] = {extractor.instrument: space for space, extractor in EXTRACTORS.items()}
"""What people say (``vocals``) → the space that answers (``vocal_timbre``)."""

__all__ = ["EXTRACTORS", "INSTRUMENTS", "Column", "Description", "Extractor", "Stems", "extractor"]


def extractor(space: str) -> Extractor:
    """Return the extractor of a space.

    Raises
    ------
    SpaceUnknown
        Where there is none of that name.
    """
    try:
        return EXTRACTORS[space]
    except KeyError:
        raise SpaceUnknown(f"no space {space!r}; there are {', '.join(EXTRACTORS)}") from None
