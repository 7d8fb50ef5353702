"""The library in memory: who, what, and all vectors, so that a question opens no file.

A `Library` is read once and never changed; the next one is made beside it and shares whatever stayed as it was.
While `mir ingest` writes, questions are answered by the library before, which is seconds old.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog.artists import plain_key
from mir.indexing import MemoryShelf
from mir.similarity.artists import represent
from mir.similarity.links import Ids, Links, read_links
from mir.similarity.ranking import Chance, artist_rows, chance_of
from mir.spaces import SpaceVectors, read_vectors, transform_in
from mir.transforms import Transform

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

_BLOCK: Final = 16_384
"""Artists whose mean directions are made at a time."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track as lists show it; `key` is what a search looks through."""

    track_id: int
    title: str
    artist: str
    album: str | None
    year: int | None
    genre: str | None
    duration_s: float
    path: str
    audio_hash: str
    key: str


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist as lists show them; `tracks` is how many they play on."""

    artist_id: int
    artist: str
    tracks: int
    key: str


@dataclass(frozen=True, slots=True)
class Aligned:
    """Vectors in the order of all tracks, or of all artists.

    Parameters
    ----------
    matrix
        Shape ``(n, d)``, float32; unit rows, zeros where there is none.
    here
        Shape ``(n,)``: which rows there are.
    """

    matrix: NDArray[np.float32]
    here: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Space:
    """One instrument's space.

    Parameters
    ----------
    instrument, space, transform
        As the catalog has them.
    vectors, marks
        By rising track; `marks` tells of each when it was measured.
    chance
        What is usual between two tracks.
    tracks, artists
        Vectors of all tracks, and mean directions of all artists.
    """

    instrument: str
    space: str
    transform: Transform
    vectors: SpaceVectors
    marks: NDArray[np.int64]
    chance: Chance
    tracks: Aligned
    artists: Aligned


class Library:
    """A catalog as it was at one generation.

    Parameters
    ----------
    catalog_id, generation
        Which catalog, and when.
    tracks, artists
        By id, rising.
    links
        Who plays on what.
    spaces
        By instrument.
    """

    def __init__(
        self,
        catalog_id: str,
        generation: int,
        tracks: Mapping[int, Track],
        artists: Mapping[int, Artist],
        links: Links,
        spaces: Mapping[str, Space],
    ) -> None:
        self.catalog_id = catalog_id
        self.generation = generation
        self.tracks = tracks
        self.artists = artists
        self.links = links
        self.spaces = spaces
        self.track_ids: Ids = np.fromiter(tracks, np.int64, len(tracks))
        self.artist_ids: Ids = np.fromiter(artists, np.int64, len(artists))

    @cached_property
    def duration_s(self) -> float:
        """Seconds of music."""
        return sum(track.duration_s for track in self.tracks.values())

    @cached_property
    def by_name(self) -> Mapping[str, Artist]:
        """Artists by `plain_key`; of several who share it, the one with the most tracks."""
        ordered = sorted(self.artists.values(), key=lambda artist: (artist.tracks, -artist.artist_id))
        return {artist.key: artist for artist in ordered}

    def tracks_of(self, artist_id: int) -> list[Track]:
        """Return an artist's tracks, by album and title."""
        ids = self.links.of_artist(artist_id)[0].tolist()
        found = [self.tracks[track_id] for track_id in ids if track_id in self.tracks]
        return sorted(found, key=lambda track: (track.year or 0, track.album or "", track.title, track.track_id))

    def artists_of(self, track_id: int) -> list[Artist]:
        """Return the artists of a track."""
        found = self.links.of_track(track_id).tolist()
        return [self.artists[artist_id] for artist_id in found if artist_id in self.artists]

    def instruments_of(self, track_id: int) -> list[str]:
        """Return the instruments that a track has vectors of."""
        at = np.array([track_id], np.int64)
        return [name for name, space in self.spaces.items() if place(space.vectors.track_ids, at)[1].any()]


def place(ids: Ids, wanted: Ids) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where `wanted` stand in rising `ids`, and which of them do; shape ``(len(wanted),)`` each."""
    if not len(ids):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return at, ids[at] == wanted


def load(catalog: Catalog, before: Library | None = None) -> Library:
    """Read a catalog; what has not changed since `before` is taken from there.

    Each table is read by a connection of its own, so that a writer never waits for the whole.

    Raises
    ------
    CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
        As `Catalog.read`.
    """
    identity = catalog.identity()
    if before is not None and (before.catalog_id, before.generation) == (identity.catalog_id, identity.generation):
        return before
    if before is not None and before.catalog_id != identity.catalog_id:
        before = None
    with catalog.read() as con:
        tracks = _tracks(con, before)
    with catalog.read() as con:
        artists = _artists(con, before)
        links = read_links(con)
    track_ids: Ids = np.fromiter(tracks, np.int64, len(tracks))
    artist_ids: Ids = np.fromiter(artists, np.int64, len(artists))
    spaces = {}
    for name, extractor in EXTRACTORS.items():
        old = None if before is None else before.spaces.get(extractor.instrument)
        with catalog.read() as con:
            transform, vectors, marks = _vectors(con, name, old)
        same = old is not None and vectors is old.vectors
        if old is None or not same or before is None or not _same_people(before, track_ids, artist_ids, links):
            shelf = MemoryShelf(vectors)
            old = Space(
                instrument=extractor.instrument,
                space=name,
                transform=transform,
                vectors=vectors,
                marks=marks,
                chance=old.chance if old is not None and same else chance_of(shelf),
                tracks=_aligned(vectors.track_ids, vectors.matrix, track_ids),
                artists=_centroids(shelf, links, artist_ids, transform.n_out),
            )
        spaces[extractor.instrument] = old
    return Library(identity.catalog_id, identity.generation, tracks, artists, links, spaces)


def _tracks(con: duckdb.DuckDBPyConnection, before: Library | None) -> dict[int, Track]:
    rows = con.execute(
        "SELECT track_id, title, artist, album, year, genre, duration_s, path, audio_hash FROM tracks ORDER BY track_id"
    ).fetchall()
    known = {} if before is None else before.tracks
    found: dict[int, Track] = {}
    for row in rows:
        old = known.get(row[0])
        same = old is not None and (old.title, old.artist) == row[1:3]
        key = old.key if old is not None and same else plain_key(f"{row[2]} - {row[1]}")
        found[row[0]] = Track(*(*row, key))
    return found


def _artists(con: duckdb.DuckDBPyConnection, before: Library | None) -> dict[int, Artist]:
    rows = con.execute(
        "SELECT a.artist_id, any_value(a.artist), count(*) FROM artists AS a JOIN track_artists AS ta USING (artist_id)"
        " GROUP BY a.artist_id ORDER BY a.artist_id"
    ).fetchall()
    known = {} if before is None else before.artists
    found = {}
    for artist_id, name, tracks in rows:
        old = known.get(artist_id)
        key = old.key if old is not None and old.artist == name else plain_key(name)
        found[artist_id] = Artist(artist_id, name, tracks, key)
    return found


def _vectors(
    con: duckdb.DuckDBPyConnection, space: str, old: Space | None
) -> tuple[Transform, SpaceVectors, NDArray[np.int64]]:
    """Read a space, of one that is known the new rows alone."""
    transform = transform_in(con, space)
    rows = con.execute(
        "SELECT d.track_id, coalesce(epoch_us(e.done_at), 0) FROM descriptors AS d"
        " LEFT JOIN extractions AS e ON e.track_id = d.track_id AND e.space = d.space"
        " WHERE d.space = ? AND d.version = ? AND len(d.raw) = ? ORDER BY d.track_id",
        [space, transform.version, transform.n_in],
    ).fetchnumpy()
    ids, marks = (np.asarray(column).astype(np.int64) for column in rows.values())
    if old is None or old.transform.transform_id != transform.transform_id:
        return transform, read_vectors(con, space, transform), marks
    at, there = place(old.vectors.track_ids, ids)
    kept = there.copy()
    kept[there] = old.marks[at[there]] == marks[there]
    if kept.all() and len(ids) == len(old.vectors.track_ids):
        return old.transform, old.vectors, old.marks
    fresh = read_vectors(con, space, transform, only=ids[~kept])
    matrix = np.empty((len(ids), transform.n_out), np.float32)
    matrix[kept] = old.vectors.matrix[at[kept]]
    matrix[~kept] = fresh.matrix
    return transform, SpaceVectors(ids, matrix), marks


def _same_people(before: Library, track_ids: Ids, artist_ids: Ids, links: Links) -> bool:
    """Whether rows stand where they stood, and the same artists play on the same tracks."""
    pairs = (
        (before.track_ids, track_ids),
        (before.artist_ids, artist_ids),
        (before.links.track_ids, links.track_ids),
        (before.links.artist_ids, links.artist_ids),
    )
    return all(np.array_equal(old, new) for old, new in pairs)


def _aligned(ids: Ids, matrix: NDArray[np.float32], every: Ids) -> Aligned:
    """Put rows of some ids in the place that those have among `every`."""
    if np.array_equal(ids, every):
        return Aligned(matrix, np.ones(len(every), np.bool_))
    at, there = place(every, ids)
    whole = np.zeros((len(every), matrix.shape[1]), np.float32)
    here = np.zeros(len(every), np.bool_)
    whole[at[there]], here[at[there]] = matrix[there], True
    return Aligned(whole, here)


def _centroids(shelf: MemoryShelf, links: Links, artist_ids: Ids, size: int) -> Aligned:
    """Return the mean direction of every artist, as similarity has it."""
    known, means = [np.empty(0, np.int64)], [np.empty((0, size), np.float32)]
    for start in range(0, len(artist_ids), _BLOCK):
        low, high = artist_ids[start], artist_ids[min(start + _BLOCK, len(artist_ids)) - 1]
        cut = slice(*np.searchsorted(links.artist_ids, [low, high + 1]).tolist())
        some = Links(links.track_ids[cut], links.artist_ids[cut], links.durations_s[cut])
        ids, starts, rows, durations_s = artist_rows(shelf, some)
        if len(ids):
            known.append(ids)
            means.append(represent(rows, durations_s, starts, "centroid").astype(np.float32))
    return _aligned(np.concatenate(known), np.concatenate(means), artist_ids)
