"""Methods that ask what sounds alike: the `sonicSimilarity` extension, and Subsonic's own similar songs and artists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mir.errors import NothingToCompare
from mir.similarity.query import Query
from mir.similarity.ranking import Voice
from mir.similarity.weights import parse_by
from mir.subsonic.answers import Content
from mir.subsonic.call import Call
from mir.subsonic.identify import find, find_song
from mir.subsonic.items import artist_item, song_item
from mir.subsonic.shelves import Album, Shelves, Song
from mir.web import similar
from mir.web.library import Artist, place

LONGEST_PATH: Final = 100


def get_sonic_similar_tracks(call: Call) -> Content:
    """Return the songs most like a song (or an artist), each with how alike it is; none where it has no instrument.

    `similarity` is 1 for the same sound, 0 for the opposite: see `closeness`.
    """
    count = call.params.number("count", 10)
    return {
        "sonicMatch": [
            {"entry": song_item(call.shelves, song), "similarity": close} for song, close in _alike(call, count)
        ]
    }


def find_sonic_path(call: Call) -> Content:
    """Return a walk from a song to another, each with how alike it is to the first."""
    from mir.playlists import path

    start, end = (find_song(call.shelves, call.params.needed(name)) for name in ("startSongId", "endSongId"))
    count = call.params.number("count", 25, 2, LONGEST_PATH)
    weights = _weights(call)
    ids = [start.track.track_id]
    if start is not end:
        with call.site.turns.turn():
            entries = path(call.site.catalog, _query(start), _query(end), weights, count)
        ids = [entry.track_id for entry in entries if entry.track_id in call.shelves.songs]
    voices = similar.voices_of(call.shelves.library, _query(start), weights)
    close = closeness(voices, _scores(call.shelves, voices, ids))
    return {
        "sonicMatch": [
            {"entry": song_item(call.shelves, call.shelves.songs[track_id]), "similarity": one}
            for track_id, one in zip(ids, close, strict=True)
        ]
    }


def get_similar_songs(call: Call) -> Content:
    """Return the songs most like a song, an album's artist or an artist."""
    return {"similarSongs": {"song": _similar_songs(call)}}


def get_similar_songs2(call: Call) -> Content:
    """Return the songs most like an artist."""
    return {"similarSongs2": {"song": _similar_songs(call)}}


def get_artist_info(call: Call) -> Content:
    """Return the artists most like an artist."""
    return {"artistInfo": _artist_info(call)}


def get_artist_info2(call: Call) -> Content:
    """Return the artists most like an artist."""
    return {"artistInfo2": _artist_info(call)}


def closeness(voices: Sequence[Voice], scores: Iterable[float]) -> list[float]:
    """Return scores of `mir.similarity` on the protocol's scale: 0 for the least possible, 1 for the most.

    Of one instrument it is ``(1 + cosine) / 2``; of several, the order is that of the scores.
    """
    ends = np.array([voice.points(np.array([-1.0, 1.0])) for voice in voices])
    low, high = float(ends.min(axis=1).sum()), float(ends.max(axis=1).sum())
    return [float(np.clip((score - low) / (high - low), 0.0, 1.0)) for score in scores]


def _alike(call: Call, count: int) -> list[tuple[Song, float]]:
    if not count:
        return []
    shelves, weights = call.shelves, _weights(call)
    seed = _seed(call, call.params.needed("id"))
    try:
        voices = similar.voices_of(shelves.library, seed, weights)
        hits = similar.similar_tracks(shelves.library, seed, weights, count)
    except NothingToCompare:  # an instrumental asked for its voice: nothing is like it, and players take a list
        return []
    close = closeness(voices, (hit.score for hit in hits))
    return [(shelves.songs[hit.track_id], one) for hit, one in zip(hits, close, strict=True)]


def _similar_songs(call: Call) -> list[dict[str, Any]]:
    return [song_item(call.shelves, song) for song, _ in _alike(call, call.params.number("count", 50))]


def _artist_info(call: Call) -> dict[str, Any]:
    library, weights = call.shelves.library, _weights(call)
    count = call.params.number("count", 20)
    seed = _seed(call, call.params.needed("id"))
    try:
        hits = similar.similar_artists(library, seed, weights, count) if count else []
    except NothingToCompare:
        hits = []
    own = None if seed.artist_id is None else call.shelves.mbid_of.get(seed.artist_id)
    found = [artist_item(call.shelves, library.artists[hit.artist_id]) for hit in hits if hit.artist_id is not None]
    return {"musicBrainzId": own, "similarArtist": found}


def _weights(call: Call) -> Mapping[str, float]:
    given = call.params.text("by")
    return parse_by(given) if given else call.by


def _seed(call: Call, text: str) -> Query:
    found = find(call.shelves, text)
    meant = (found.artist or found.songs[0]) if isinstance(found, Album) else found
    if isinstance(meant, Artist):
        return Query("artist", meant.artist, artist_id=meant.artist_id)
    return _query(meant)


def _query(song: Song) -> Query:
    return Query("track", song.track.title, track_id=song.track.track_id)


def _scores(shelves: Shelves, voices: Sequence[Voice], track_ids: Sequence[int]) -> NDArray[np.float64]:
    """Return the score of tracks against what the voices ask with, shape ``(n,)``."""
    library = shelves.library
    at = place(library.track_ids, np.array(track_ids, np.int64))[0]
    total = np.zeros(len(track_ids))
    for voice in voices:
        table = library.spaces[voice.instrument].tracks
        cosines = table.matrix[at].astype(np.float64) @ voice.query()
        total += voice.points(np.where(table.here[at], cosines, np.nan))
    return total
