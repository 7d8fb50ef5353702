"""Methods that give files: songs as they are on disk. Nothing is transcoded: every format is the file's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response

from mir.subsonic.call import Call
from mir.subsonic.covers import cover
from mir.subsonic.identify import find_song
from mir.subsonic.items import sound_type

_KEEP: Final = {"Cache-Control": "private, max-age=3600"}


def stream(call: Call) -> Response:
    """Give a song to play; ranges are served, `format`, `maxBitRate` and `timeOffset` change nothing."""
    path = _file(call)
    return FileResponse(path, media_type=sound_type(path.name), headers=_KEEP)


def download(call: Call) -> Response:
    """Give a song to keep."""
    path = _file(call)
    return FileResponse(path, media_type=sound_type(path.name), filename=path.name, headers=_KEEP)


def get_cover_art(call: Call) -> Response:
    """Give the picture of a song, an album or an artist: the one in their files, else a made one."""
    picture = cover(call, call.params.needed("id"), call.params.maybe_number("size"))
    return Response(picture.data, media_type=picture.media_type, headers=_KEEP)


def _file(call: Call) -> Path:
    return call.site.sound_file(find_song(call.shelves, call.params.needed("id")).track)
