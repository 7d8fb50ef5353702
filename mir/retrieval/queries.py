"""Which tracks ask, what each should find, and what must not count: the fixed protocol of every retrieval figure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mir.catalog.artists import plain_key
from mir.similarity.links import NOBODY, NOBODY_IDS

if TYPE_CHECKING:
    from mir.catalog import Catalog

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Recording:
    """What the protocol needs of a track.

    Parameters
    ----------
    track_id, title
        Which one.
    artists
        Keys of all of its artists, the first one first; empty where nobody is known.
    album
        Key of its album; None where the tags name none.
    duration_s
        Seconds.
    """

    track_id: int
    title: str
    artists: tuple[str, ...]
    album: str | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class Query:
    """One question: what else is by whoever made this track.

    Parameters
    ----------
    place
        Of the asking track among the recordings.
    artist
        Its first artist: intervals draw artists.
    kin_places
        Of the recordings that share an artist with it, itself among them, rising.
    relevant_places
        Those of them that it should find.
    known
        Which of all recordings have a known artist, shape ``(n,)``; the same array for all queries.
    """

    place: int
    artist: str
    kin_places: tuple[int, ...]
    relevant_places: tuple[int, ...]
    known: Flags

    @property
    def kin(self) -> Flags:
        """Flags of the kin, shape ``(n,)``; a transform for this query sees none of them."""
        return self._flags(self.kin_places)

    @property
    def relevant(self) -> Flags:
        """Flags of what it should find."""
        return self._flags(self.relevant_places)

    @property
    def candidates(self) -> Flags:
        """Flags of what is ranked: the relevant ones, and everybody else's."""
        return self.relevant | (self.known & ~self.kin)

    def _flags(self, places: tuple[int, ...]) -> Flags:
        flags = np.zeros(len(self.known), dtype=np.bool_)
        flags[list(places)] = True
        return flags


def read_recordings(catalog: Catalog) -> list[Recording]:
    """Read the tracks of a catalog with their artists and albums, by rising track id."""
    with catalog.read() as con:
        rows = con.execute(
            "SELECT t.track_id, t.title, t.album, t.duration_s,"
            " coalesce(list(ar.artist ORDER BY ar.position) FILTER (ar.artist IS NOT NULL), [])"
            " FROM tracks AS t LEFT JOIN (SELECT ta.track_id, ta.position, a.artist FROM track_artists AS ta"
            " JOIN artists AS a USING (artist_id) WHERE ta.role = 'artist'"
            " AND a.name_key NOT IN (SELECT unnest(?::VARCHAR[]))"
            " AND coalesce(a.musicbrainz_id, '') NOT IN (SELECT unnest(?::VARCHAR[]))) AS ar USING (track_id)"
            " GROUP BY t.track_id, t.title, t.album, t.duration_s ORDER BY t.track_id",
            [sorted(NOBODY), list(NOBODY_IDS)],
        ).fetchall()
    return [
        Recording(track_id, title, tuple(names), plain_key(album or "") or None, duration_s)
        for track_id, title, album, duration_s, names in rows
    ]


def make_queries(recordings: Sequence[Recording], *, same_album: bool = False) -> list[Query]:
    """List all queries of a library, always the same ones in the same order.

    Each track with another one by one of its artists asks. A track on the same album was recorded in the same room
    through the same desk: it is neither relevant nor a candidate, unless `same_album` says so; a track without an
    album counts as on another one. Tracks by nobody known may be by anybody: they are no candidates.
    """
    known = np.array([bool(recording.artists) for recording in recordings], dtype=np.bool_)
    of_artist: dict[str, list[int]] = {}
    for place, recording in enumerate(recordings):
        for artist in recording.artists:
            of_artist.setdefault(artist, []).append(place)
    queries = []
    for place, recording in enumerate(recordings):
        kin = sorted({other for artist in recording.artists for other in of_artist[artist]})
        relevant = tuple(
            other
            for other in kin
            if other != place and (same_album or recording.album is None or recordings[other].album != recording.album)
        )
        if relevant:
            queries.append(Query(place, recording.artists[0], tuple(kin), relevant, known))
    return queries


def few_artists(queries: Sequence[Query], most: int) -> list[Query]:
    """Keep the queries of `most` artists at most: drawn by the checksum of their names, so always the same ones."""
    names = sorted({query.artist for query in queries}, key=lambda name: (zlib.crc32(name.encode()), name))
    chosen = set(names[:most])
    return [query for query in queries if query.artist in chosen]
