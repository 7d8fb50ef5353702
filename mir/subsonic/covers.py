"""Pictures of songs, albums and artists: what the files hold, made smaller; else one that is drawn."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mir.catalog.artists import plain_key
from mir.subsonic.call import Call
from mir.subsonic.identify import Item, find
from mir.subsonic.shelves import Album, Song
from mir.tags import BROKEN
from mir.web.library import Artist
from mir.web.site import is_sound

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger(__name__)

LARGEST_BYTES: Final = 20_000_000
KEPT_BYTES: Final = 262_144
"""Larger pictures are read again each time."""
MOST_PIXELS: Final = 25_000_000
"""A picture of more is given as it is: unpacking it could take all memory."""
DRAWN: Final = 600
"""Width and height of a drawn picture, in pixels."""
SIZES: Final = (32, 2048)
_FRONT: Final = 3  # the picture type that ID3 and FLAC give a front cover
_LOOKED_INTO: Final = 3
"""Songs of an album whose files are looked into."""
_KINDS: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is sent."""

    data: bytes
    media_type: str


def cover(call: Call, text: str, size: int | None) -> Picture:
    """Return the picture of a song, an album or an artist.

    Raises
    ------
    NotInCatalog
        Where the id is nothing here.
    """
    item = find(call.shelves, text)
    wanted = None if size is None else max(SIZES[0], min(size, SIZES[1]))
    key = (call.shelves.library.generation, _name(item), wanted)
    found = call.covers.find(key)
    if isinstance(found, Picture):
        return found
    made = _make(call, item, wanted)
    if len(made.data) <= KEPT_BYTES:
        call.covers.put(key, made)
    return made


def embedded(path: str) -> Picture | None:
    """Return the picture in a sound file, the front cover if there is one; None where there is none that we know.

    What it is goes by its first bytes, never by what the file calls it.
    """
    import mutagen

    try:
        opened = mutagen.File(path)
        found = [] if opened is None else _pictures(opened)
    except (mutagen.MutagenError, *BROKEN) as error:
        logger.info("%s: pictures not readable (%s)", path, type(error).__name__)
        return None
    for _, data in sorted(found, key=lambda pair: pair[0] != _FRONT):
        kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        if kind is not None and len(data) <= LARGEST_BYTES:
            return Picture(data, kind)
    return None


def smaller(picture: Picture, size: int) -> Picture:
    """Return a picture no wider or higher than `size`; as it is where it cannot be read, or is small already."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture.data), formats=("JPEG", "PNG", "GIF", "WEBP")) as opened:
            if max(opened.size) <= size or opened.size[0] * opened.size[1] > MOST_PIXELS:
                return picture
            opened.draft("RGB", (size, size))
            shrunk = opened.convert("RGB")
        shrunk.thumbnail((size, size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        logger.info("a picture could not be made smaller (%s)", type(error).__name__)
        return picture
    return _saved(shrunk, "JPEG", "image/jpeg")


def drawn(name: str, size: int = DRAWN) -> Picture:
    """Return a picture for what has none: a colour of its own, and the first letters of its name."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    seed = hashlib.sha256(name.encode("utf-8", "replace")).digest()
    hue = seed[0] / 256
    top, bottom = _colour(hue, 0.60), _colour((hue + 0.08 + seed[1] / 2048) % 1, 0.34)
    ramp = (np.linspace(0, 1, size)[:, None] + np.linspace(0, 1, size)[None, :])[..., None] / 2
    pixels = (1 - ramp) * np.array(top) + ramp * np.array(bottom)
    image = Image.fromarray(pixels.round().astype(np.uint8), "RGB")
    letters = _letters(name)
    if letters:
        font = ImageFont.load_default(size=round(size * (0.42 if len(letters) > 1 else 0.52)))
        ImageDraw.Draw(image).text((size / 2, size / 2), letters, (255, 255, 255), font=font, anchor="mm")
    return _saved(image, "PNG", "image/png")


def _make(call: Call, item: Item, size: int | None) -> Picture:
    for song in _songs(call, item)[:_LOOKED_INTO]:
        picture = embedded(song.track.path) if is_sound(song.track.path) else None
        if picture is not None:
            return picture if size is None else smaller(picture, size)
    return drawn(_name(item), DRAWN if size is None else size)


def _songs(call: Call, item: Item) -> tuple[Song, ...]:
    if isinstance(item, Song):
        return (item,)
    if isinstance(item, Album):
        return item.songs
    albums = call.shelves.albums_of.get(item.artist_id, [])
    return albums[0].songs if albums else ()


def _name(item: Item) -> str:
    if isinstance(item, Artist):
        return item.artist
    if isinstance(item, Album):
        return f"{item.title} - {item.owner}"
    return f"{item.track.title} - {item.track.artist}"


def _pictures(opened: Any) -> list[tuple[int, bytes]]:  # noqa: ANN401 - mutagen carries no types
    """Return the pictures of a file with what they show, however its format keeps them."""
    from mutagen.flac import Picture as FlacPicture

    tags = opened.tags
    found = [(picture.type, picture.data) for picture in getattr(opened, "pictures", None) or ()]
    if tags is None:
        return found
    if hasattr(tags, "getall"):
        found += [(picture.type, picture.data) for picture in tags.getall("APIC")]
        return found
    lookup = getattr(tags, "get", None)
    if lookup is None:
        return found
    found += [(_FRONT, bytes(picture)) for picture in _listed(lookup, "covr")]
    for text in _listed(lookup, "metadata_block_picture"):
        picture = FlacPicture(base64.b64decode(text))
        found.append((picture.type, picture.data))
    return found


def _listed(lookup: Any, key: str) -> list[Any]:  # noqa: ANN401
    try:
        return list(lookup(key) or ())
    except (KeyError, ValueError):  # a tag type that refuses another type's keys
        return []


def _letters(name: str) -> str:
    """Return the first letters of two words, where the font has them."""
    words = re.findall(r"\w+", plain_key(name.partition(" - ")[0]))
    letters = "".join(word[0] for word in (words[0], words[-1])[: len(words)]) if words else ""
    return letters.upper() if letters.isascii() else ""


def _colour(hue: float, brightness: float) -> tuple[float, ...]:
    import colorsys

    return tuple(255 * part for part in colorsys.hsv_to_rgb(hue, 0.55, brightness))


def _saved(image: Image, kind: str, media_type: str) -> Picture:
    out = io.BytesIO()
    image.save(out, kind, quality=88, optimize=True)
    return Picture(out.getvalue(), media_type)
