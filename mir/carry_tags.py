"""From the input's tags to its stems': title, artist, album and the like, and the front cover, across formats."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mir.tags import BROKEN, FIELDS, raw_tags
from separation.errors import WriteFailed

if TYPE_CHECKING:
    from mutagen import FileType
    from mutagen.flac import Picture
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

logger = logging.getLogger(__name__)

MAX_COVER_BYTES = 10_000_000
"""A larger picture stays behind."""

_ITUNES = "----:com.apple.iTunes:"
_CARRIED: dict[str, tuple[str, str, str]] = {
    # field → key that is written to ID3, to Vorbis comments and to MP4
    "title": ("TIT2", "title", "\xa9nam"),
    "artist": ("TPE1", "artist", "\xa9ART"),
    "artists": ("TXXX:ARTISTS", "artists", f"{_ITUNES}ARTISTS"),
    "album": ("TALB", "album", "\xa9alb"),
    "album_artist": ("TPE2", "albumartist", "aART"),
    "date": ("TDRC", "date", "\xa9day"),
    "genre": ("TCON", "genre", "\xa9gen"),
    "compilation": ("TCMP", "compilation", "cpil"),
    "track": ("TRCK", "tracknumber", "trkn"),
    "disc": ("TPOS", "discnumber", "disk"),
    "comment": ("COMM:", "comment", "\xa9cmt"),
    "musicbrainz": ("TXXX:MusicBrainz Artist Id", "musicbrainz_artistid", f"{_ITUNES}MusicBrainz Artist Id"),
    "musicbrainz_album": ("TXXX:MusicBrainz Album Id", "musicbrainz_albumid", f"{_ITUNES}MusicBrainz Album Id"),
}
_READ: dict[str, tuple[str, ...]] = {
    **_CARRIED,
    **FIELDS,
    "track": (*_CARRIED["track"], "track", "WM/TrackNumber"),
    "track_total": ("tracktotal", "totaltracks"),
    "disc_total": ("disctotal", "totaldiscs"),
}
_NUMBERED = ("track", "disc")
_FRONT = 3
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


def carry(source: Path, target: Path, *, stem: str | None) -> None:
    """Copy the tags and the front cover of an audio file into another one, of whatever format either is.

    For the place between writing a file and publishing it: the target's content, not its name, tells its format.
    Tags that cannot be read, or that the target has no place for, are left out with a logged warning.

    Parameters
    ----------
    source
        The file that was separated.
    target
        A WAV, FLAC, Ogg Vorbis, Opus, MP3 or MP4; RF64 has no place for tags.
    stem
        Added to the title, ``Yellow (vocals)``; None leaves the title as it is.

    Raises
    ------
    WriteFailed
        The system refuses in the middle of writing (the disk is full): the target may be damaged.
    """
    import mutagen

    try:
        fields, cover = _fields(source, stem), _front_cover(source)
        if fields or cover:
            _save(source, _tagged(target, fields, cover))
    except WriteFailed:
        raise
    except (mutagen.MutagenError, *BROKEN) as error:
        logger.warning("%s: its tags could not be carried over (%s)", source, error)


def _fields(source: Path, stem: str | None) -> dict[str, list[str]]:
    """What the source says, as it will be written; a number of several is `3/12`."""
    raw = raw_tags(source, _READ)
    for field in _NUMBERED:
        raw[field] = _numbered([*raw[field], *raw.pop(f"{field}_total")])
    raw["compilation"] = ["1"] if raw["compilation"][:1] in (["1"], ["True"], ["true"]) else []
    raw["title"] = [title if stem is None else f"{title} ({stem})" for title in raw["title"][:1]]
    return {field: values for field, values in raw.items() if values}


def _numbered(values: Sequence[str]) -> list[str]:
    """Bring `3`, `03/12` and `3` beside `12` to one form."""
    number, total, *_ = [*(int(digits) for digits in re.findall(r"\d{1,4}", " ".join(values))), 0, 0]
    return [f"{number}/{total}" if total else str(number)] if number else []


def _front_cover(source: Path) -> Picture | None:
    """Front cover, or the first picture that there is; None where there is none that every format can hold."""
    import mutagen
    from mutagen.flac import Picture

    try:
        opened = mutagen.File(source)
        pictures = [] if opened is None else sorted(_pictures(opened), key=lambda picture: picture[0] != _FRONT)
    except (mutagen.MutagenError, *BROKEN) as error:
        logger.warning("%s: its pictures cannot be read (%s)", source, error)
        return None
    for _, data in pictures:
        mime = next((mime for magic, mime in _PICTURES.items() if data.startswith(magic)), None)
        if mime is None or len(data) > MAX_COVER_BYTES:
            logger.warning("%s: a picture of %d bytes is not carried over", source, len(data))
            continue
        cover = Picture()
        cover.type, cover.mime, cover.data = _FRONT, mime, data
        return cover
    return None


def _pictures(opened: FileType) -> Iterator[tuple[int, bytes]]:
    """Kind (ID3's numbers) and bytes of every picture in a file."""
    from mutagen.flac import Picture
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    for picture in getattr(opened, "pictures", ()):
        yield picture.type, picture.data
    tags = opened.tags
    if isinstance(tags, ID3):
        for frame in tags.getall("APIC"):
            yield frame.type, frame.data
    elif isinstance(tags, MP4Tags):
        for data in tags.get("covr", ()):
            yield _FRONT, bytes(data)
    elif tags is not None:
        for text in tags.get("metadata_block_picture", ()):
            picture = Picture(base64.b64decode(text))
            yield picture.type, picture.data


def _tagged(target: Path, fields: Mapping[str, Sequence[str]], cover: Picture | None) -> FileType:
    """Open the target and set its tags, not yet saved."""
    import mutagen
    from mutagen.flac import FLAC
    from mutagen.id3 import ID3
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4, MP4Tags
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    opened = mutagen.File(target, options=[FLAC, MP3, MP4, OggOpus, OggVorbis, WAVE])
    if opened is None:
        raise ValueError("the output has no place for tags")
    if opened.tags is None:
        opened.add_tags()
    if isinstance(opened.tags, ID3):
        _set_id3(opened.tags, fields, cover)
    elif isinstance(opened.tags, MP4Tags):
        _set_mp4(opened.tags, fields, cover)
    else:
        _set_vorbis(opened, fields, cover)
    return opened


def _set_id3(tags: ID3, fields: Mapping[str, Sequence[str]], cover: Picture | None) -> None:
    from mutagen.id3 import APIC, Encoding, Frames

    for field, values in fields.items():
        name, _, description = _CARRIED[field][0].partition(":")
        described = {"desc": description} if name in ("TXXX", "COMM") else {}
        tags.add(Frames[name](encoding=Encoding.UTF8, text=list(values), **described))
    if cover is not None:
        tags.add(APIC(encoding=Encoding.UTF8, mime=cover.mime, type=cover.type, desc="", data=cover.data))


def _set_mp4(tags: MP4Tags, fields: Mapping[str, Sequence[str]], cover: Picture | None) -> None:
    from mutagen.mp4 import MP4Cover, MP4FreeForm

    for field, values in fields.items():
        key = _CARRIED[field][2]
        if field in _NUMBERED:
            number, _, total = values[0].partition("/")
            tags[key] = [(int(number), int(total or 0))]
        elif field == "compilation":
            tags[key] = True
        else:
            tags[key] = [MP4FreeForm(value.encode()) for value in values] if key.startswith("-") else list(values)
    if cover is not None:
        jpeg = cover.mime == "image/jpeg"
        tags["covr"] = [MP4Cover(cover.data, MP4Cover.FORMAT_JPEG if jpeg else MP4Cover.FORMAT_PNG)]


def _set_vorbis(opened: FileType, fields: Mapping[str, Sequence[str]], cover: Picture | None) -> None:
    from mutagen.flac import FLAC

    for field, values in fields.items():
        key = _CARRIED[field][1]
        if field in _NUMBERED:
            number, _, total = values[0].partition("/")
            opened.tags[key] = number
            if total:
                opened.tags[f"{field}total"] = total
        else:
            opened.tags[key] = list(values)
    if cover is not None and isinstance(opened, FLAC):
        opened.add_picture(cover)
    elif cover is not None:
        opened.tags["metadata_block_picture"] = base64.b64encode(cover.write()).decode("ascii")


def _save(source: Path, opened: FileType) -> None:
    """Write the tags; what fails before the first byte is a matter of tags, what the system refuses is not."""
    import mutagen

    try:
        opened.save()
    except (OSError, mutagen.MutagenError) as error:
        if any(isinstance(each, OSError) for each in (error, *error.args)):
            raise WriteFailed(f"the tags of {source} could not be written: {error}") from error
        raise
