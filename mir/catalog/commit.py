"""Writing: one transaction a track; whatever happens, a track is in the catalog whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mir.catalog.artists import free_id, link_artists, shown
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord
from mir.catalog.removal import delete_stems, drop_idle_tracks, forget_artist, forget_path, prune
from mir.catalog.schema import identifier
from mir.catalog.wide import build_vector_view, declarations
from mir.errors import CatalogTooOld, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog

__all__ = ["commit_failure", "commit_file", "commit_track", "forget_artist", "forget_path", "prune"]


@dataclass(frozen=True, slots=True)
class _Space:
    """A row of ``spaces``, as far as a commit needs it."""

    version: int
    descriptor_size: int
    vector_size: int
    transform_id: str | None


def commit_track(catalog: Catalog, record: TrackRecord) -> int:
    """Write all that is known of one track, and return its id.

    Spaces and stems that the record does not mention stay as they are, so that what was missing can be added
    later; writing the same record again changes nothing.

    Raises
    ------
    ValueError
        Where a result is not what its space declares (columns, sizes), or breaks the rule of its state.
    CatalogTooOld
        Where the catalog's tables were made for another version of an extractor.
    """
    for result in record.results:
        _check(result)
    with catalog.write() as con:
        known = con.execute("SELECT track_id FROM tracks WHERE audio_hash = ?", [record.audio_hash]).fetchone()
        track_id = int(known[0]) if known else free_id(con, "tracks", "track_id", record.audio_hash)
        _write_track(con, track_id, record, new=known is None)
        stale = _write_file(con, record.file, track_id)
        _write_people_and_genres(con, track_id, record.tags, new=known is None)
        if known is not None:
            _clear(con, track_id, record)
        _insert(
            con,
            "stems",
            [
                [
                    track_id,
                    stem.stem,
                    stem.source_id,
                    _number(stem.loudness_lufs),
                    _number(stem.active_ratio),
                    stem.path,
                ]
                for stem in record.stems
            ],
        )
        _write_results(con, track_id, record.results)
    delete_stems(stale)
    return track_id


def commit_file(catalog: Catalog, file: FileStat, audio_hash: str, tags: Tags) -> None:
    """Note that audio which is known lies at this path, with these tags; nothing is computed anew.

    Raises
    ------
    NotInCatalog
        Where that audio is not known.
    """
    with catalog.write() as con:
        row = con.execute("SELECT track_id FROM tracks WHERE audio_hash = ?", [audio_hash]).fetchone()
        if row is None:
            raise NotInCatalog(f"no track with audio {audio_hash[:12]}…; commit the track first ({file.path})")
        track_id = int(row[0])
        names = ", ".join(f"{name} = ?" for name in _tag_values(tags))
        con.execute(
            f"UPDATE tracks SET path = ?, {names} WHERE track_id = ?",  # noqa: S608 - our own names
            [file.path, *_tag_values(tags).values(), track_id],
        )
        stale = _write_file(con, file, track_id)
        _write_people_and_genres(con, track_id, tags, new=False)
    delete_stems(stale)


def commit_failure(catalog: Catalog, file: FileStat, reason: str) -> None:
    """Note that a file could not be analysed, and why; a later success clears it.

    What an earlier success found for this path stays: the trouble may pass (a disk that is away, too little
    memory).
    """
    with catalog.write() as con:
        con.execute(
            "INSERT INTO files (path, size, mtime_ns, state, reason) VALUES (?, ?, ?, 'failed', ?)"
            " ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
            " state = 'failed', reason = excluded.reason, seen_at = make_timestamp(epoch_us(now()))",
            [file.path, file.size, file.mtime_ns, reason],
        )


def _tag_values(tags: Tags) -> dict[str, object]:
    """Return what the tags say, by column of ``tracks``."""
    return {
        "title": tags.title,
        "artist": shown(tags),
        "album": tags.album,
        "album_artist": tags.album_artist,
        "year": tags.year,
        "genre": tags.genres[0] if tags.genres else None,
        "compilation": tags.compilation,
    }


def _write_track(con: duckdb.DuckDBPyConnection, track_id: int, record: TrackRecord, *, new: bool) -> None:
    values = _tag_values(record.tags) | {
        "path": record.file.path,
        "duration_s": record.duration_s,
        "sample_rate_hz": record.sample_rate_hz,
        "n_channels": record.n_channels,
        "codec": record.codec,
    }
    if new:
        values |= {"audio_hash": record.audio_hash, "track_id": track_id}
        marks = ", ".join("?" * len(values))
        con.execute(f"INSERT INTO tracks ({', '.join(values)}) VALUES ({marks})", list(values.values()))  # noqa: S608 - our own names
    else:
        settings = ", ".join(f"{name} = ?" for name in values)
        con.execute(f"UPDATE tracks SET {settings} WHERE track_id = ?", [*values.values(), track_id])  # noqa: S608


def _write_file(con: duckdb.DuckDBPyConnection, file: FileStat, track_id: int) -> list[str]:
    """Point a path at its track; a track whose last file now holds other audio goes.

    Returns the kept stems of a track that went.
    """
    before = con.execute("SELECT track_id FROM files WHERE path = ?", [file.path]).fetchone()
    if before is None:
        query = "INSERT INTO files (size, mtime_ns, track_id, state, path) VALUES (?, ?, ?, 'ok', ?)"
    else:
        query = (
            "UPDATE files SET size = ?, mtime_ns = ?, track_id = ?, state = 'ok', reason = NULL,"
            " seen_at = make_timestamp(epoch_us(now())) WHERE path = ?"
        )
    con.execute(query, [file.size, file.mtime_ns, track_id, file.path])
    if before is None or before[0] in (None, track_id):
        return []
    return drop_idle_tracks(con, [before[0]])


def _write_people_and_genres(con: duckdb.DuckDBPyConnection, track_id: int, tags: Tags, *, new: bool) -> None:
    link_artists(con, track_id, tags, new=new)
    if not new:
        con.execute("DELETE FROM track_genres WHERE track_id = ? AND source = 'tag'", [track_id])
    _insert(con, "track_genres", [[track_id, genre, "tag", None, None] for genre in dict.fromkeys(tags.genres)])


def _clear(con: duckdb.DuckDBPyConnection, track_id: int, record: TrackRecord) -> None:
    """Take out what an earlier record said of the same stems and spaces."""
    spaces = [result.space for result in record.results]
    con.execute(
        "DELETE FROM stems WHERE track_id = ? AND stem IN (SELECT unnest(?::VARCHAR[]))",
        [track_id, [stem.stem for stem in record.stems]],
    )
    for table in ("extractions", "descriptors", "space_vectors"):
        con.execute(
            f"DELETE FROM {table} WHERE track_id = ? AND space IN (SELECT unnest(?::VARCHAR[]))",  # noqa: S608 - our own names
            [track_id, spaces],
        )
    for space in set(spaces) & set(declarations()):
        con.execute(f"DELETE FROM {identifier(space)} WHERE track_id = ?", [track_id])  # noqa: S608 - declared names


def _write_results(con: duckdb.DuckDBPyConnection, track_id: int, results: Sequence[SpaceResult]) -> None:
    if not results:
        return
    rows = con.execute("SELECT space, version, descriptor_size, vector_size, transform_id FROM spaces").fetchall()
    spaces = {row[0]: _Space(*row[1:]) for row in rows}
    for result in results:
        _compare(result, spaces)
    _insert(
        con,
        "extractions (track_id, space, extractor_version, source_id, state, reason)",
        [[track_id, each.space, each.version, each.source_id, each.state, each.reason] for each in results],
    )
    for result in results:
        if result.values is not None:
            columns = [column.name for column in declarations()[result.space].columns]
            names = ", ".join(identifier(name) for name in ("track_id", *columns))
            values = [_number(result.values[name]) for name in columns]
            _insert(con, f"{identifier(result.space)} ({names})", [[track_id, *values]])
    _insert(
        con,
        "descriptors",
        [[track_id, r.space, r.version, r.descriptor.tolist()] for r in results if r.descriptor is not None],
    )
    for result in results:
        if result.vector is not None:
            _fit_vectors(con, result, result.vector.shape[0], spaces[result.space])
    _insert(
        con,
        "space_vectors",
        [[track_id, r.space, r.version, r.transform_id, r.vector.tolist()] for r in results if r.vector is not None],
    )


def _fit_vectors(con: duckdb.DuckDBPyConnection, result: SpaceResult, size: int, space: _Space) -> None:
    """Let the first vector of a space say through which transform, and how long, its vectors are."""
    if (size, result.transform_id) == (space.vector_size, space.transform_id):
        return
    stored = con.execute("SELECT 1 FROM space_vectors WHERE space = ? LIMIT 1", [result.space]).fetchone()
    if stored is None:
        con.execute(
            "UPDATE spaces SET vector_size = ?, transform_id = ? WHERE space = ?",
            [size, result.transform_id, result.space],
        )
        if size != space.vector_size:
            build_vector_view(con, result.space, size)
    elif result.transform_id == space.transform_id:
        raise ValueError(f"vectors of {result.space} have {space.vector_size} numbers, this one has {size}")


def _insert(con: duckdb.DuckDBPyConnection, target: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert all rows by one statement; each statement costs about a millisecond, whatever it does."""
    if rows:
        marks = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in rows)
        con.execute(f"INSERT INTO {target} VALUES {marks}", [value for row in rows for value in row])  # noqa: S608 - declared names


def _compare(result: SpaceResult, spaces: Mapping[str, _Space]) -> None:
    """Refuse a result that is not what the catalog's space is."""
    if result.space not in spaces:
        raise ValueError(f"no space {result.space!r} in this catalog; there are {', '.join(spaces)}")
    space = spaces[result.space]
    if result.version != space.version:
        raise CatalogTooOld(
            f"the catalog's {result.space} is version {space.version}, the result's {result.version}; "
            "`mir ingest` brings the catalog up"
        )
    columns = {column.name for column in declarations()[result.space].columns}
    if result.values is not None and set(result.values) != columns:
        raise ValueError(f"{result.space} declares {sorted(columns)}, the result has {sorted(result.values)}")
    if result.descriptor is not None and result.descriptor.shape != (space.descriptor_size,):
        raise ValueError(
            f"{result.space} declares {space.descriptor_size} numbers,"
            f" the descriptor has shape {result.descriptor.shape}"
        )


def _check(result: SpaceResult) -> None:
    measured = (result.values, result.descriptor, result.vector)
    if result.state == "ok" and result.values is None:
        raise ValueError(f"{result.space}: state ok without values")
    if result.state != "ok" and any(each is not None for each in measured):
        raise ValueError(f"{result.space}: state {result.state} with measured numbers; only ok has them")
    for array in (result.descriptor, result.vector):
        if array is not None and (array.ndim != 1 or not all(map(math.isfinite, array.tolist()))):
            raise ValueError(f"{result.space}: a descriptor and a vector are one row of finite numbers")


def _number(value: float | None) -> float | None:
    """NaN and infinities are NULL: what cannot be measured must not take part in an average."""
    return float(value) if value is not None and math.isfinite(value) else None
