"""Who an artist is: names without case and superfluous space, MusicBrainz ids where the tags have them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mir.catalog.records import Tags

if TYPE_CHECKING:
    import duckdb

UNKNOWN_ARTIST = "Unknown artist"
"""How a track without an artist is shown; it is nobody's name and no row of ``artists``."""

_ID_BITS = 53


def stable_id(text: str) -> int:
    """Return a number made from `text`: the same everywhere, and exact in JSON and doubles (below 2^53)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - _ID_BITS)


def name_key(name: str) -> str:
    """Return what is equal for names that differ in case, width or spacing alone."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def plain_key(name: str) -> str:
    """Return `name_key` without accents, for forgiving searches."""
    decomposed = unicodedata.normalize("NFKD", name_key(name))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def shown(tags: Tags) -> str:
    """Return the artists of a track as one text."""
    return ", ".join(tags.artists) if tags.artists else UNKNOWN_ARTIST


def link_artists(con: duckdb.DuckDBPyConnection, track_id: int, tags: Tags, *, new: bool) -> None:
    """Make a track's artists those of its tags; artists that are left without a track go."""
    before: list[tuple[int, str]] = []
    if not new:
        query = "SELECT artist_id, role FROM track_artists WHERE track_id = ? ORDER BY position"
        before = con.execute(query, [track_id]).fetchall()
    wanted: list[int] = []
    ids = tags.musicbrainz_artist_ids if len(tags.musicbrainz_artist_ids) == len(tags.artists) else ()
    for position, artist in enumerate(tags.artists):
        artist_id = _artist(con, artist, ids[position] if ids else None)
        if artist_id not in wanted:
            wanted.append(artist_id)
    if before == [(artist_id, "artist") for artist_id in wanted]:
        return
    if before:
        con.execute("DELETE FROM track_artists WHERE track_id = ?", [track_id])
    for position, artist_id in enumerate(wanted):
        con.execute("INSERT INTO track_artists VALUES (?, ?, 'artist', ?)", [track_id, artist_id, position])
    if before:
        drop_idle_artists(con, [artist_id for artist_id, _ in before])


def drop_idle_artists(con: duckdb.DuckDBPyConnection, artist_ids: Sequence[int]) -> None:
    """Delete those of the given artists that have no track."""
    con.execute(
        "DELETE FROM artists WHERE artist_id IN (SELECT unnest(?::BIGINT[]))"
        " AND NOT EXISTS (FROM track_artists AS ta WHERE ta.artist_id = artists.artist_id)",
        [list(artist_ids)],
    )


def _artist(con: duckdb.DuckDBPyConnection, name: str, musicbrainz_id: str | None) -> int:
    """Return the id of an artist, making it where it is new.

    One MusicBrainz id is one artist, whatever the spelling. A name without an id joins the artist of that
    name; a name with an id joins one that has no id yet, and gives it the id; two ids with one name stay two
    artists.
    """
    rows = con.execute(
        "SELECT artist_id, name_key, musicbrainz_id FROM artists"
        " WHERE name_key = ? OR musicbrainz_id = ? ORDER BY artist_id",
        [name_key(name), musicbrainz_id],
    ).fetchall()
    if musicbrainz_id is None:
        if rows:
            return int(rows[0][0])
    else:
        for artist_id, _, known in rows:
            if known == musicbrainz_id:
                return int(artist_id)
        for artist_id, _, known in rows:
            if known is None:
                con.execute("UPDATE artists SET musicbrainz_id = ? WHERE artist_id = ?", [musicbrainz_id, artist_id])
                return int(artist_id)
    artist_id = free_id(
        con, "artists", "artist_id", name_key(name) if not rows else f"{name_key(name)}\0{musicbrainz_id}"
    )
    con.execute("INSERT INTO artists VALUES (?, ?, ?, ?)", [artist_id, name, name_key(name), musicbrainz_id])
    return artist_id


def free_id(con: duckdb.DuckDBPyConnection, table: str, column: str, text: str) -> int:
    """Return the number of `text`, or the next free one where something else has it (1 in 2^53 a pair)."""
    candidate = stable_id(text)
    while con.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", [candidate]).fetchone():  # noqa: S608 - our names
        candidate = (candidate + 1) % 2**_ID_BITS
    return candidate
