"""Playlists as files: extended M3U in UTF-8."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from mir.playlists.entries import Entry
from mir.playlists.making import Playlist

logger = logging.getLogger(__name__)


def m3u8(playlist: Playlist, relative_to: Path | None = None) -> str:
    """Return a playlist as the text of an M3U8 file: duration, ``Artist - Title`` and path of each track.

    A file whose path has a line break, or is no text, cannot stand in such a list; it is left out with a warning.

    Parameters
    ----------
    playlist
        What to write.
    relative_to
        Where paths begin: the folder of the list. None: paths are as the catalog has them, absolute.

    References
    ----------
    The M3U format as players read it; ``#EXTINF`` also in RFC 8216, section 4.3.2.1.
    """
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(playlist.title)}"]
    for entry in playlist.entries:
        place = _place(entry, relative_to)
        if place is not None:
            lines += [f"#EXTINF:{round(entry.duration_s)},{_one_line(f'{entry.artist} - {entry.title}')}", place]
    return "\n".join(lines) + "\n"


def _place(entry: Entry, relative_to: Path | None) -> str | None:
    place = entry.path
    if relative_to is not None:
        place = Path(os.path.relpath(place, relative_to)).as_posix()
        if place.startswith("#"):  # else it would be read as a comment
            place = f"./{place}"
    try:
        place.encode()
    except UnicodeEncodeError:
        logger.warning("%r is left out: its name is no text in UTF-8", place)
        return None
    if len(place.splitlines()) != 1 or place != place.strip():
        logger.warning("%r is left out: players would read its name otherwise", place)
        return None
    return place


def _one_line(text: str) -> str:
    return " ".join(text.encode(errors="replace").decode().split())
