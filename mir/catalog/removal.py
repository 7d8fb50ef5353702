"""Taking out: a forgotten track leaves nothing behind, in any table, nor its kept stems."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mir.catalog.artists import drop_idle_artists
from mir.catalog.schema import TRACK_TABLES, identifier
from mir.errors import NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: an artist by the name in the catalog, or a path; and how many tracks went."""

    what: str
    kind: str
    tracks: int


def forget(catalog: Catalog, what: str) -> Forgotten:
    """Forget an artist, a file or a folder, and write the catalog anew: nothing of it stays in the file.

    Backups that were made before, and indexes, are files of their own: delete the ones, build the others
    again.

    Raises
    ------
    NotInCatalog
        Where `what` is neither a path nor an artist of the catalog.
    """
    from mir.catalog.maintenance import compact
    from mir.catalog.queries import find_artist

    try:
        forgotten = Forgotten(what, "path", forget_path(catalog, what))
    except NotInCatalog:
        artist = find_artist(catalog, what).artist
        forgotten = Forgotten(artist, "artist", forget_artist(catalog, artist))
    compact(catalog)
    return forgotten


def forget_artist(catalog: Catalog, name: str) -> int:
    """Forget every track on which an artist plays, and the artist; return how many tracks that were.

    Raises
    ------
    NotInCatalog
        Where there is no such artist.
    """
    from mir.catalog.queries import find_artist

    artist_id = find_artist(catalog, name).artist_id
    with catalog.write() as con:
        rows = con.execute("SELECT DISTINCT track_id FROM track_artists WHERE artist_id = ?", [artist_id]).fetchall()
        stems = drop_tracks(con, [track_id for (track_id,) in rows])
    delete_stems(stems)
    return len(rows)


def forget_path(catalog: Catalog, path: str | Path) -> int:
    """Forget the tracks of a file, or of all files below a folder; return how many tracks or failures went.

    Copies elsewhere of the same audio are forgotten too: what is forgotten is the recording.

    Raises
    ------
    NotInCatalog
        Where the catalog knows no file there.
    """
    wanted = os.path.realpath(Path(path).expanduser())
    with catalog.read() as con:
        rows = con.execute(
            "SELECT path, track_id FROM files WHERE path = ? OR starts_with(path, ?)",
            [wanted, wanted.rstrip("/") + "/"],
        ).fetchall()
    if not rows:
        listing = '`mir sql "SELECT path FROM files"` lists what it knows'
        raise NotInCatalog(f"the catalog knows no file at {wanted}; {listing}")
    tracks = {track_id for _, track_id in rows if track_id is not None}
    with catalog.write() as con:
        stems = drop_tracks(con, sorted(tracks))
        con.execute("DELETE FROM files WHERE path IN (SELECT unnest(?::VARCHAR[]))", [[each for each, _ in rows]])
    delete_stems(stems)
    return len(tracks) + sum(track_id is None for _, track_id in rows)


def prune(catalog: Catalog, missing: Iterable[str]) -> int:
    """Take out files that are gone, and the tracks that have no file left; return how many files went."""
    paths = sorted(set(missing))
    if not paths:
        return 0
    with catalog.write() as con:
        rows = con.execute(
            "DELETE FROM files WHERE path IN (SELECT unnest(?::VARCHAR[])) RETURNING track_id", [paths]
        ).fetchall()
        stems = drop_idle_tracks(con, sorted({track_id for (track_id,) in rows if track_id is not None}))
    delete_stems(stems)
    return len(rows)


def drop_idle_tracks(con: duckdb.DuckDBPyConnection, track_ids: Sequence[int]) -> list[str]:
    """Delete those of the given tracks that have no file left; the others are shown at a file that they have.

    Returns the kept stems of the deleted ones, for `delete_stems` once the transaction is through.
    """
    if not track_ids:
        return []
    left = dict(
        con.execute(
            "SELECT track_id, min(path) FROM files WHERE track_id IN (SELECT unnest(?::BIGINT[])) GROUP BY track_id",
            [list(track_ids)],
        ).fetchall()
    )
    for track_id, path in left.items():
        con.execute(
            "UPDATE tracks SET path = ? WHERE track_id = ?"
            " AND path NOT IN (SELECT f.path FROM files AS f WHERE f.track_id = ?)",
            [path, track_id, track_id],
        )
    return drop_tracks(con, [track_id for track_id in track_ids if track_id not in left])


def drop_tracks(con: duckdb.DuckDBPyConnection, track_ids: Sequence[int]) -> list[str]:
    """Delete tracks with all that hangs on them: files, artists left idle, genres, stems, features, vectors.

    Returns the paths of their kept stems, for `delete_stems` once the transaction is through.
    """
    if not track_ids:
        return []
    chosen = "WHERE track_id IN (SELECT unnest(?::BIGINT[]))"
    ids = list(track_ids)
    artists = con.execute(f"SELECT DISTINCT artist_id FROM track_artists {chosen}", [ids]).fetchall()  # noqa: S608 - fixed text
    kept = con.execute(f"SELECT path FROM stems {chosen} AND path IS NOT NULL", [ids]).fetchall()  # noqa: S608 - fixed text
    spaces = [space for (space,) in con.execute("SELECT space FROM spaces").fetchall()]
    for table in (*TRACK_TABLES, *spaces, "tracks"):
        con.execute(f"DELETE FROM {identifier(table)} {chosen}", [ids])  # noqa: S608 - declared names
    drop_idle_artists(con, [artist_id for (artist_id,) in artists])
    return [path for (path,) in kept]


def delete_stems(paths: Iterable[str]) -> None:
    """Delete kept stems of tracks that are no more, and the folders that this leaves empty."""
    for path in map(Path, paths):
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: other stems are there
            path.parent.rmdir()
