"""Who plays on which track, as questions need it: names that name nobody are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mir.catalog.artists import name_key
from mir.tags import NO_ARTIST

if TYPE_CHECKING:
    import duckdb

Ids = NDArray[np.int64]
Matrix = NDArray[np.float64]

_MORE_NOBODIES: Final = (
    "Original Soundtrack, Soundtrack, Original Cast, Original Broadway Cast, Unknown Artists, No Artist Name,"
    " Verschiedene, Verschiedene Interpreten, Verschiedene Künstler, Unbekannter Künstler, Unbekannter Interpret,"
    " Artistes divers, Artistes variés, Artiste inconnu, Varios artistas, Artista desconocido, Vários artistas,"
    " Vários intérpretes, Artisti vari, AA.VV., Artista sconosciuto, Diverse artiesten, Blandade artister,"
    " Różni wykonawcy"
)
NOBODY: Final = NO_ARTIST | {name_key(name) for name in _MORE_NOBODIES.split(",")}
"""Names, by `name_key`, that stand for many people or for nobody known."""

NOBODY_IDS: Final = (
    "89ad4ac3-39f7-470e-963a-56509c546377",
    "125ec42a-7229-4250-afc5-e057484327fe",
    "eec63d3c-3b81-4ad4-b1e4-7c147d4d2b61",
    "9be7f096-97ec-4615-8957-8d40b5dcbc41",
    "33cf029c-63b0-41a0-9855-be2a3665fb3b",
)
"""MusicBrainz's special artists: various, unknown, no artist, traditional, data."""


@dataclass(frozen=True, slots=True)
class Links:
    """Who plays on what, ordered by artist: three arrays of shape ``(n,)``."""

    track_ids: Ids
    artist_ids: Ids
    durations_s: Matrix

    def of_artist(self, artist_id: int) -> tuple[Ids, Matrix]:
        """Return an artist's tracks, and how long each is in seconds."""
        here = slice(*np.searchsorted(self.artist_ids, [artist_id, artist_id + 1]).tolist())
        return self.track_ids[here], self.durations_s[here]

    def of_artists(self, artist_ids: Ids) -> Links:
        """Return the links of some artists alone."""
        wanted = np.unique(artist_ids)
        starts = np.searchsorted(self.artist_ids, wanted)
        ends = np.searchsorted(self.artist_ids, wanted, side="right")
        spans = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
        at = np.concatenate([np.empty(0, np.intp), *spans])
        return Links(self.track_ids[at], self.artist_ids[at], self.durations_s[at])

    def of_track(self, track_id: int) -> Ids:
        """Return the artists of a track."""
        return self.artist_ids[self.track_ids == track_id]

    def tracks_by(self, artist_ids: Ids) -> Ids:
        """Return all tracks that any of these artists plays on."""
        return np.unique(self.track_ids[np.isin(self.artist_ids, artist_ids)])

    def only(self, track_ids: Ids) -> Links:
        """Return the links of some tracks alone."""
        here = np.isin(self.track_ids, track_ids)
        return Links(self.track_ids[here], self.artist_ids[here], self.durations_s[here])

    def at_most(self, track_ids: Ids, each: int) -> list[int]:
        """Return the places of tracks to keep, so that no artist has more than so many.

        First come, first kept; tracks of nobody known are not one artist's, and all stay.
        """
        held: dict[int, int] = {}
        owners: dict[int, list[int]] = {}
        here = np.isin(self.track_ids, track_ids)
        for track_id, artist_id in zip(self.track_ids[here].tolist(), self.artist_ids[here].tolist(), strict=True):
            owners.setdefault(track_id, []).append(artist_id)
        kept = []
        for place, track_id in enumerate(track_ids.tolist()):
            own = owners.get(track_id, [])
            if all(held.get(artist_id, 0) < each for artist_id in own):
                kept.append(place)
                for artist_id in own:
                    held[artist_id] = held.get(artist_id, 0) + 1
        return kept


def read_links(con: duckdb.DuckDBPyConnection) -> Links:
    """Read who plays on what; "Various Artists" and the like play on nothing."""
    rows = con.execute(
        "SELECT ta.track_id, ta.artist_id, t.duration_s"
        " FROM track_artists AS ta JOIN tracks AS t USING (track_id) JOIN artists AS a USING (artist_id)"
        " WHERE ta.role = 'artist' AND a.name_key NOT IN (SELECT unnest(?::VARCHAR[]))"
        " AND coalesce(a.musicbrainz_id, '') NOT IN (SELECT unnest(?::VARCHAR[]))"
        " ORDER BY ta.artist_id, ta.track_id",
        [sorted(NOBODY), list(NOBODY_IDS)],
    ).fetchnumpy()
    track_ids, artist_ids, durations_s = (np.asarray(column) for column in rows.values())
    # A track of no length would have no say; such files hardly exist, but a weight of zero must not.
    return Links(track_ids.astype(np.int64), artist_ids.astype(np.int64), np.maximum(durations_s.astype(float), 1e-3))
