"""What a file says of itself: tags first, then its name, then its folder."""

from __future__ import annotations

import logging
import re
import struct
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from mir.catalog.records import Tags

logger = logging.getLogger("mir.tags")

_NO_ARTIST = """
unknown, unknown artist, <unknown>, [unknown], no artist, artist, various, various artists, va, v.a., v/a, v.
a., diverse
"""
_NO_GENRE = "unknown, other, unclassifiable, unclassified, none, no genre, genre, misc, <not-set>"
_GENERIC_FOLDERS = """
music, my music, musik, musique, audio, audios, sound, sounds, download, downloads, song, songs, track,
tracks, file, files, library, libraries, media, itunes, itunes media, collection, mp3, mp3s, flac, flacs, wav,
wavs, ogg, opus, m4a, aac, train, training, test, testing, valid, validation, eval, dev, data, dataset, clips,
samples, examples, mix, mixes, mixture, mixtures, stems, vocals, drums, bass, other, album, albums, artist,
artists, single, singles, playlist, playlists, compilation, compilations, misc, new, new folder, unsorted,
incoming, temp, tmp, desktop, documents, home, root, mnt, volumes, public, shared, input, inputs, output,
outputs, in, out, a, b, src
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(" ".join(word.split()) for word in text.split(","))


NO_ARTIST = _words(_NO_ARTIST)
"""Artist tags, lower case, that name nobody."""

NO_GENRE = _words(_NO_GENRE)
"""Genre tags, lower case, that say nothing."""

GENERIC_FOLDERS = _words(_GENERIC_FOLDERS) | NO_ARTIST
"""Folder names, lower case, that are no artist's."""

_FEATURING = re.compile(r"[\s(\[]+(?:feat\.?|ft\.?|featuring)\s+", re.IGNORECASE)
_SEVERAL = re.compile(r"\x00|;|\s/\s")
_DISC = re.compile(r"(?:cd|disc|disk|side|vol|volume)[\s._-]*(?:\d+|[a-d])", re.IGNORECASE)
_TRACK_NUMBER = re.compile(r"^(?:\d{1,3}\s*[-.)]\s*|0\d\s+|\d{1,2}-\d{1,2}\s+)(?=\S)")
_DASH = re.compile(r"\s+[-–—]\s+")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")
_SUFFIX = re.compile(r"(?:\.stem\.mp4|(?<=.)\.[a-z0-9]{1,5})$", re.IGNORECASE)
_ID3_GENRE = re.compile(r"\(?(\d{1,3})\)?$")

BROKEN = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,
    OSError,
    struct.error,
)
"""What tag readers raise on broken blocks besides their own error."""

FIELDS: dict[str, tuple[str, ...]] = {
    # field → keys in ID3, Vorbis comments and APE (lower case), MP4 and ASF
    "title": ("TIT2", "title", "\xa9nam", "Title"),
    "artist": ("TPE1", "artist", "\xa9ART", "Author"),
    "artists": ("TXXX:ARTISTS", "TXXX:Artists", "artists", "----:com.apple.iTunes:ARTISTS", "WM/ARTISTS"),
    "album": ("TALB", "album", "\xa9alb", "WM/AlbumTitle"),
    "album_artist": ("TPE2", "albumartist", "album artist", "album_artist", "aART", "WM/AlbumArtist"),
    "date": ("TDRC", "TYER", "TDRL", "TDOR", "date", "year", "originaldate", "\xa9day", "WM/Year"),
    "genre": ("TCON", "genre", "\xa9gen", "WM/Genre"),
    "musicbrainz": (
        "TXXX:MusicBrainz Artist Id", "musicbrainz_artistid", "----:com.apple.iTunes:MusicBrainz Artist Id",
        "MusicBrainz/Artist Id",
    ),
    "compilation": ("TCMP", "compilation", "cpil", "WM/IsCompilation"),
}  # fmt: skip
"""What `read_tags` reads, and under which keys."""


@dataclass(frozen=True, slots=True)
class NameParts:
    """What a file's name tells: ``Artist - Title``, or a title alone."""

    title: str
    artist: str | None


def read_tags(path: str | Path) -> Tags:
    """Read a file's tags; never fails for what is in them.

    Several artists come from multi-valued tags, from ``;``, `` / `` and NUL, and from ``feat.`` (main artist
    first); never from ``&`` or a comma, which belong to names (*Simon & Garfunkel*; *Earth, Wind & Fire*).
    Without an artist tag the name ``Artist - Title.ext`` is asked, then the folder, unless it is a generic
    word, a genre or the album.

    Parameters
    ----------
    path
        An audio file.

    Returns
    -------
    Tags
        ``artists`` is empty where nobody is named. ``musicbrainz_artist_ids`` is in the order of ``artists``,
        and empty where their numbers differ.
    """
    path = Path(path)
    raw = raw_tags(path, FIELDS)
    name = parse_name(path.name)
    album = _first(raw["album"])
    album_artist = _first(raw["album_artist"])
    compilation = _first(raw["compilation"]) in {"1", "True", "true"}
    if album_artist is not None and album_artist.casefold() in NO_ARTIST:
        album_artist, compilation = None, True
    artists = _people(_several(raw["artists"])) or _people(_featured(_several(raw["artist"])))
    if not artists and album_artist is not None:
        artists = _people(_featured(_several([album_artist])))
    if not artists and name.artist is not None:
        artists = _people(_featured([name.artist]))
    if not artists and not compilation:
        artists = _people([_folder_artist(path, album) or ""])
    ids = _musicbrainz_ids(raw["musicbrainz"])
    return Tags(
        title=_first(raw["title"]) or _title_from_name(path.name, name, artists),
        artists=artists,
        album=album,
        album_artist=album_artist,
        year=_year(raw["date"]),
        genres=_genres(raw["genre"]),
        musicbrainz_artist_ids=ids if len(ids) == len(artists) else (),
        compilation=compilation,
    )


def parse_name(filename: str) -> NameParts:
    """Split ``01 - Artist - Title.stem.mp4`` into artist and title.

    Examples
    --------
    >>> parse_name("Jonathan Coulton - Monkey Shines.mp3")
    NameParts(title='Monkey Shines', artist='Jonathan Coulton')
    >>> parse_name("07. Intro.flac")
    NameParts(title='Intro', artist=None)
    """
    whole = _bare(filename)
    stem = _TRACK_NUMBER.sub("", whole)
    parts = _DASH.split(stem, maxsplit=1)
    if len(parts) == 2 and all(parts) and not parts[0].isdigit():
        return NameParts(title=_TRACK_NUMBER.sub("", parts[1]), artist=parts[0])
    return NameParts(title=stem or whole or filename, artist=None)


def _bare(filename: str) -> str:
    """File name without its suffix (both of ``.stem.mp4``), underscores as spaces where there are no spaces."""
    stem = _SUFFIX.sub("", filename)
    stem = stem.encode("utf-8", "replace").decode("utf-8")
    return _clean(stem if " " in stem.strip() else stem.replace("_", " "))


def _title_from_name(filename: str, name: NameParts, artists: Sequence[str]) -> str:
    """Take the name's title part where the rest is the artist; a dash inside a title stays."""
    credited = _people(_featured([name.artist or ""]))
    known = {artist.casefold() for artist in artists}
    if not credited or known & {artist.casefold() for artist in credited}:
        return name.title
    return _TRACK_NUMBER.sub("", _bare(filename))


def _folder_artist(path: Path, album: str | None) -> str | None:
    """Name of the folder that the file lies in (above ``CD 1`` and its like), unless it names no artist."""
    from mutagen._constants import GENRES

    folders = [folder for folder in path.absolute().parent.parts[1:][::-1] if not _DISC.fullmatch(folder)]
    name = _clean(folders[0].encode("utf-8", "replace").decode("utf-8").replace("_", " ")) if folders else ""
    lower = name.casefold()
    refused = GENERIC_FOLDERS | {genre.casefold() for genre in GENRES} | {(album or "").casefold()}
    if lower in refused or lower.startswith(".") or not any(character.isalpha() for character in lower):
        return None
    return name


def raw_tags(path: Path, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Every wanted field, of the first of its keys that the file has, as clean strings; empty where it says nothing."""
    import mutagen
    from mutagen.id3 import ID3

    fields: dict[str, list[str]] = {field: [] for field in wanted}
    tags: Any = None
    try:
        opened = mutagen.File(path)
        tags = None if opened is None else opened.tags
    except (mutagen.MutagenError, *BROKEN) as error:
        logger.info("%s: tags not readable as its own format (%s)", path, error)
    if tags is None:
        try:  # an ID3 block can stand before sound that the tag reader does not know
            tags = ID3(path)
        except (mutagen.MutagenError, *BROKEN):
            return fields
    for field, keys in wanted.items():
        for key in keys:
            try:
                found = _strings(_lookup(tags, key))
            except (mutagen.MutagenError, *BROKEN) as error:
                logger.info("%s: tag %s not readable (%s)", path, key, error)
                continue
            if found:
                fields[field] = found
                break
    return fields


def _lookup(tags: Any, key: str) -> object:  # noqa: ANN401 - mutagen carries no types
    try:
        return tags.getall(key) if hasattr(tags, "getall") else tags.get(key)  # ID3's "COMM:" has every language
    except (KeyError, ValueError, TypeError):  # a tag type that refuses another type's keys
        return None


def _strings(value: object) -> list[str]:
    """Flatten what tag readers hold (frames, lists, bytes, booleans, other values) into clean strings."""
    if value is None:
        return []
    if hasattr(value, "genres"):  # an ID3 genre frame resolves its codes
        value = value.genres
    elif hasattr(value, "text"):
        value = value.text
    elif hasattr(value, "value") and not isinstance(value, str | bytes):
        value = value.value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, list | tuple):
        return [text for item in value for text in _strings(item)]
    # NUL separates values and has to survive until they are split
    cleaned = [_clean(part) for part in str(value).split("\x00")]
    return [part for part in cleaned if part]


def _clean(text: str) -> str:
    """One line, composed accents, no control characters: one artist is one string."""
    text = "".join(
        " " if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Zs"} else c for c in unicodedata.normalize("NFC", text)
    )
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.replace("\ufeff", "").split())


def _first(values: Sequence[str]) -> str | None:
    return values[0] if values else None


def _several(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in _SEVERAL.split(value) if part.strip()]


def _featured(values: Iterable[str]) -> list[str]:
    """Split ``A (feat. B)``; everybody's main part first, then the featured ones."""
    main: list[str] = []
    guests: list[str] = []
    for value in values:
        first, *rest = _FEATURING.split(value)
        main.append(first)
        for part in rest:
            unopened = part[:-1] if part.endswith((")", "]")) and part.count("(") + part.count("[") == 0 else part
            guests.append(unopened)
    return [part.strip() for part in main + guests if part.strip()]


def _people(names: Iterable[str]) -> tuple[str, ...]:
    """Names in order, each once, without those that name nobody."""
    people: dict[str, str] = {}
    for name in names:
        if name and name.casefold() not in NO_ARTIST:
            people.setdefault(name.casefold(), name)
    return tuple(people.values())


def _year(values: Iterable[str]) -> int | None:
    for value in values:
        found = _YEAR.search(value)
        if found:
            return int(found.group(1))
    return None


def _genres(values: Iterable[str]) -> tuple[str, ...]:
    from mutagen._constants import GENRES

    genres: dict[str, str] = {}
    for value in _several(values):
        code = _ID3_GENRE.fullmatch(value)
        name = GENRES[int(code.group(1))] if code and int(code.group(1)) < len(GENRES) else value
        if name.casefold() not in NO_GENRE and not name.isdigit():
            genres.setdefault(name.casefold(), name)
    return tuple(genres.values())


def _musicbrainz_ids(values: Iterable[str]) -> tuple[str, ...]:
    ids = []
    for value in values:
        for part in re.split(r"[;/,\s]+", value):
            try:
                ids.append(str(UUID(part)))
            except ValueError:
                continue
    return tuple(dict.fromkeys(ids))
