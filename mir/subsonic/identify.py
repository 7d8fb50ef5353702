"""Which song, album or artist an id is: one of ours, a MusicBrainz id, or a path."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

from mir.errors import NotInCatalog
from mir.subsonic.shelves import Album, Shelves, Song, plain_path
from mir.web.library import Artist

Item = Song | Album | Artist

_OURS: Final = re.compile(r"(?:tr-)?([0-9]{1,16})")
_ARTIST: Final = re.compile(r"ar-([0-9]{1,16})")
_LEAST_COMMON: Final = 2
"""Of a foreign absolute path, so many parts at its end have to be the same: the file's name and its folder's."""


def song_id(song: Song) -> str:
    """Return a song's id."""
    return f"tr-{song.track.track_id}"


def album_id(album: Album) -> str:
    """Return an album's id."""
    return f"al-{album.album_id}"


def artist_id(artist: Artist) -> str:
    """Return an artist's id."""
    return f"ar-{artist.artist_id}"


def find(shelves: Shelves, text: str) -> Item:
    """Return what an id stands for.

    Ours are ``tr-…`` (or the number alone), ``al-…`` and ``ar-…``. ``mbid:…``, or a UUID as it is, is a MusicBrainz
    artist id; the catalog keeps none of recordings. ``path:…``, or anything with a slash, is a path: see `find_path`.
    No file is looked at: an id is compared with what the catalog knows, and opens nothing else.

    Raises
    ------
    NotInCatalog
        Where it is nothing here.
    """
    found: Item | None = None
    if match := _OURS.fullmatch(text):
        found = shelves.songs.get(int(match[1]))
    elif match := _ARTIST.fullmatch(text):
        found = shelves.library.artists.get(int(match[1]))
    elif text.startswith("al-"):
        found = shelves.albums.get(text[3:])
    elif text.startswith("path:"):
        found = find_path(shelves, text[5:])
    elif mbid := _mbid(text.removeprefix("mbid:")):
        found = shelves.library.artists.get(shelves.mbids.get(mbid, -1))
        if found is None:
            raise NotInCatalog(f"no artist with the MusicBrainz id {mbid}; ids of recordings are not kept here")
    elif "/" in text:
        found = find_path(shelves, text)
    if found is None:
        raise NotInCatalog(f"nothing here has the id {text[:80]!r}")
    return found


def find_path(shelves: Shelves, text: str) -> Song | None:
    """Return the song of a file, None where none fits, or several do equally well.

    A relative path has to be the end of the file's. An absolute one may be from another server, which has the same
    folders elsewhere: the file that has the longest end in common is meant, of two parts or more.
    """
    path = PurePosixPath(plain_path(text))
    parts = path.parts
    if not parts:
        return None
    least = min(len(parts), _LEAST_COMMON) if path.is_absolute() else len(parts)
    candidates = [(_common_end(parts, song.track.path), song) for song in shelves.by_file_name.get(path.name, ())]
    best = max((common for common, _ in candidates), default=0)
    fitting = [song for common, song in candidates if common == best]
    return fitting[0] if best >= least and len(fitting) == 1 else None


def find_song(shelves: Shelves, text: str) -> Song:
    """Return the song of an id.

    Raises
    ------
    NotInCatalog
        Where it is none.
    """
    found = find(shelves, text)
    if not isinstance(found, Song):
        raise NotInCatalog(f"{text[:80]!r} is no song")
    return found


def find_album(shelves: Shelves, text: str) -> Album:
    """Return the album of an id; as `find_song`."""
    found = find(shelves, text)
    if not isinstance(found, Album):
        raise NotInCatalog(f"{text[:80]!r} is no album")
    return found


def find_artist(shelves: Shelves, text: str) -> Artist:
    """Return the artist of an id; as `find_song`."""
    found = find(shelves, text)
    if not isinstance(found, Artist):
        raise NotInCatalog(f"{text[:80]!r} is no artist")
    return found


def _mbid(text: str) -> str | None:
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def _common_end(parts: tuple[str, ...], path: str) -> int:
    """Return how many parts two paths have in common, counted from the end."""
    own = PurePosixPath(plain_path(path)).parts
    common = 0
    for one, other in zip(reversed(parts), reversed(own), strict=False):
        if one != other:
            break
        common += 1
    return common
