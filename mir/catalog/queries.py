"""Reading: what the pipeline and similarity need of the catalog, as plain data; no pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mir.catalog.artists import name_key, plain_key
from mir.catalog.records import State
from mir.catalog.wide import build_vector_view
from mir.errors import BadRequest, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the catalog remembers it; `track_id`, `audio_hash` are None where it could never be read."""

    size: int
    mtime_ns: int
    track_id: int | None
    state: Literal["ok", "failed"]
    reason: str | None
    audio_hash: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """One extraction as the catalog remembers it."""

    version: int
    source_id: str
    state: State


@dataclass(frozen=True, slots=True)
class Vectors:
    """Current vectors of a space, ordered by track.

    Parameters
    ----------
    track_ids
        Shape ``(n,)``, int64.
    matrix
        Shape ``(n, d)``, float32; row i belongs to ``track_ids[i]``.
    version
        Extractor version.
    transform_id
        The transform that all rows went through.
    """

    track_ids: NDArray[np.int64]
    matrix: NDArray[np.float32]
    version: int
    transform_id: str | None


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Raw descriptors by rising track: `track_ids` ``(n,)`` int64, `matrix` ``(n, d)`` float32."""

    track_ids: NDArray[np.int64]
    matrix: NDArray[np.float32]
    version: int


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A track as it is shown; `artists` is empty for an unknown artist."""

    track_id: int
    title: str
    path: str
    album: str | None
    year: int | None
    duration_s: float
    artists: tuple[str, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArtistRow:
    """An artist of the catalog."""

    artist_id: int
    artist: str


def known_files(catalog: Catalog) -> dict[str, KnownFile]:
    """Return every file that was ever looked at, by path."""
    with catalog.read() as con:
        rows = con.execute(
            "SELECT path, size, mtime_ns, track_id, state, reason, audio_hash FROM"
            " (SELECT path, size, mtime_ns, track_id, state, reason FROM files) AS f"
            " LEFT JOIN (SELECT track_id, audio_hash FROM tracks) AS t USING (track_id)"
        ).fetchall()
    return {row[0]: KnownFile(*row[1:]) for row in rows}


def done(catalog: Catalog) -> dict[str, dict[str, Done]]:
    """Return what was extracted, by audio hash and space; a track of which nothing was has an empty entry."""
    with catalog.read() as con:
        rows = con.execute(
            "SELECT t.audio_hash, e.space, e.extractor_version, e.source_id, e.state"
            " FROM tracks AS t LEFT JOIN extractions AS e USING (track_id)"
        ).fetchall()
    found: dict[str, dict[str, Done]] = {}
    for audio_hash, space, version, source_id, state in rows:
        spaces = found.setdefault(audio_hash, {})
        if space is not None:
            spaces[space] = Done(version, source_id, state)
    return found


def vectors(catalog: Catalog, space: str) -> Vectors:
    """Return the current vectors of a space; silent tracks have none.

    Raises
    ------
    BadRequest
        Where the catalog has no such space.
    """
    with catalog.read() as con:
        current = _space(con, space)
        track_ids, matrix = _matrix(
            con,
            "SELECT track_id, vector FROM embeddings WHERE space = ? AND len(vector) = ?",
            space,
            current["vector_size"],
        )
    return Vectors(track_ids, matrix, current["version"], current["transform_id"])


def descriptors(catalog: Catalog, space: str) -> Descriptors:
    """Return the raw descriptors of a space.

    Raises
    ------
    BadRequest
        Where the catalog has no such space.
    """
    with catalog.read() as con:
        current = _space(con, space)
        track_ids, matrix = _matrix(
            con,
            "SELECT track_id, raw FROM descriptors WHERE space = ? AND len(raw) = ?",
            space,
            current["descriptor_size"],
        )
    return Descriptors(track_ids, matrix, current["version"])


def replace_vectors(
    catalog: Catalog,
    space: str,
    transform_id: str | None,
    track_ids: NDArray[np.int64],
    matrix: NDArray[np.float32],
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Put new vectors in the place of all of a space's, in one transaction.

    Parameters
    ----------
    transform_id
        The transform that they went through; the space's current one from now on.
    track_ids, matrix
        Shapes ``(n,)`` and ``(n, d)``.
    parameters
        Where given, the transform is also recorded in ``transforms`` as the current one, in the same
        transaction.

    Raises
    ------
    BadRequest
        Where the catalog has no such space.
    ValueError
        Where the shapes do not fit, a number is not finite, or a track is not in the catalog.
    """
    import json

    if matrix.ndim != 2 or track_ids.shape != matrix.shape[:1] or not np.isfinite(matrix).all():
        raise ValueError(
            f"{track_ids.shape} tracks and a matrix of shape {matrix.shape}: one finite row a track is needed"
        )
    with catalog.write() as con:
        current = _space(con, space)
        size = int(matrix.shape[1])
        con.execute("DELETE FROM space_vectors WHERE space = ?", [space])
        con.execute(
            "INSERT INTO space_vectors SELECT t.track_id, ?, ?, ?, n.vector FROM"
            " (SELECT unnest(?::BIGINT[]) AS track_id, unnest(?::FLOAT[][]) AS vector) AS n"
            " JOIN tracks AS t USING (track_id)",
            [space, current["version"], transform_id, track_ids.tolist(), matrix.tolist()],
        )
        stored = con.execute("SELECT count(*) FROM space_vectors WHERE space = ?", [space]).fetchone()
        if stored is None or stored[0] != len(track_ids):
            raise ValueError(f"{len(track_ids)} vectors, but not all of their tracks are in the catalog")
        con.execute("UPDATE spaces SET transform_id = ?, vector_size = ? WHERE space = ?", [transform_id, size, space])
        build_vector_view(con, space, size)
        if parameters is not None:
            con.execute("UPDATE transforms SET current = false WHERE space = ?", [space])
            con.execute(
                'INSERT OR REPLACE INTO transforms (transform_id, space, "current", parameters) VALUES (?, ?, true, ?)',
                [transform_id, space, json.dumps(parameters)],
            )


def track_table(catalog: Catalog) -> list[TrackRow]:
    """Return every track with its artists and genres (of all sources), ordered by id."""
    with catalog.read() as con:
        rows = con.execute(
            "SELECT track_id, title, path, album, year, duration_s, artists, genres FROM library ORDER BY track_id"
        ).fetchall()
    return [
        TrackRow(track_id, title, path, album, year, duration_s, tuple(artists or ()), tuple(genres or ()))
        for track_id, title, path, album, year, duration_s, artists, genres in rows
    ]


def find_artist(catalog: Catalog, name: str) -> ArtistRow:
    """Find an artist: as written, else whatever the case and accents.

    Where several artists share the name, the one with the most tracks is meant.

    Raises
    ------
    NotInCatalog
        Where there is none; the message offers the nearest names.
    """
    with catalog.read() as con:
        rows = con.execute(
            "SELECT ar.artist_id, ar.artist FROM artists AS ar JOIN track_artists AS ta USING (artist_id)"
            " GROUP BY ar.artist_id, ar.artist ORDER BY count(*) DESC, ar.artist_id"
        ).fetchall()
    for same in (str, name_key, plain_key):
        for artist_id, artist in rows:
            if same(artist) == same(name) and same(name):
                return ArtistRow(artist_id, artist)
    by_key = {plain_key(artist): artist for _, artist in reversed(rows)}
    near = [by_key[key] for key in get_close_matches(plain_key(name), by_key, n=5, cutoff=0.5)]
    near += [
        artist for key, artist in by_key.items() if plain_key(name) in key and artist not in near and plain_key(name)
    ]
    if near:
        raise NotInCatalog(f"no artist {name!r} in {catalog.path.name}; near: {', '.join(near[:5])}")
    raise NotInCatalog(
        f"no artist {name!r} among the {len(rows)} in {catalog.path.name}; `mir status` shows what there is"
    )


def _space(con: duckdb.DuckDBPyConnection, space: str) -> dict[str, Any]:
    names = ("version", "descriptor_size", "vector_size", "transform_id")
    row = con.execute(
        "SELECT version, descriptor_size, vector_size, transform_id FROM spaces WHERE space = ?", [space]
    ).fetchone()
    if row is None:
        there = ", ".join(each for (each,) in con.execute("SELECT space FROM spaces ORDER BY space").fetchall())
        raise BadRequest(f"no space {space!r} in the catalog; there are {there}")
    return dict(zip(names, row, strict=True))


def _matrix(
    con: duckdb.DuckDBPyConnection, query: str, space: str, size: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    found = con.execute(f"{query} ORDER BY track_id", [space, size]).fetchnumpy()
    track_ids, rows = (np.asarray(column) for column in found.values())
    matrix = np.stack(list(rows)) if len(rows) else np.empty((0, size))
    return track_ids.astype(np.int64), np.ascontiguousarray(matrix, dtype=np.float32)
