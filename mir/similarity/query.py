"""What is asked about: an artist or a track of the catalog, or a file that is not in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mir.errors import NothingToCompare, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "mir-4s"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was measured of a file outside the catalog, by space: raw descriptor and named numbers."""

    descriptors: dict[str, NDArray[np.float32]]
    values: dict[str, dict[str, float]]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """What answers are compared with.

    Parameters
    ----------
    kind
        ``artist``, ``track`` (both in the catalog) or ``file`` (outside it).
    label
        Name, title or path, as shown.
    artist_id, track_id
        In the catalog, for these kinds.
    heard
        What was measured of a file; None before it was heard.
    """

    kind: Literal["artist", "track", "file"]
    label: str
    artist_id: int | None = None
    track_id: int | None = None
    heard: Heard | None = field(default=None, repr=False)


def find_query(catalog: Catalog, query: str | Path, spaces: Sequence[str], model: str) -> Query:
    """Find what is meant, as `find`; a file outside the catalog is separated and described, and nothing of it is kept.

    Raises
    ------
    NotInCatalog
        Where nothing fits, or several tracks do.
    AudioUnreadable
        Where the file has no sound.
    """
    found = find(catalog, query)
    return replace(found, heard=_hear(Path(found.label), spaces, model)) if found.kind == "file" else found


def find(catalog: Catalog, query: str | Path) -> Query:
    """Find what is meant, and hear nothing: an artist, else a track, else an audio file on disk.

    A track is found by its title, ``Artist - Title``, path, or number (its ``track_id``, where nothing has that name).
    A path, or a name that ends as audio files do, is looked for as a file first. A file whose audio the catalog has is
    that track.

    Raises
    ------
    NotInCatalog
        Where nothing fits, or several tracks do: the message has their numbers.
    AudioUnreadable
        Where the file has no sound.
    """
    from mir.catalog.queries import find_artist
    from separation.audio import AUDIO_SUFFIXES

    text = str(query)
    path = Path(query).expanduser()
    if isinstance(query, Path) or path.suffix.lower() in AUDIO_SUFFIXES:
        found = _track_at(catalog, path)
        if found is not None:
            return found
        if path.is_file():
            return _file(catalog, path)
    if isinstance(query, str):
        try:
            artist = find_artist(catalog, text)
        except NotInCatalog as error:
            missing = error
        else:
            return Query("artist", artist.artist, artist_id=artist.artist_id)
        track = _track_called(catalog, text) or _track_numbered(catalog, text)
        if track is not None:
            return track
        if path.is_file():
            return _track_at(catalog, path) or _file(catalog, path)
        raise NotInCatalog(f"{missing}; no track and no audio file of that name either") from missing
    raise NotInCatalog(f"no track at {path} in {catalog.path.name}, and no such file")


def _track_at(catalog: Catalog, path: Path) -> Query | None:
    with catalog.read() as con:
        row = con.execute(
            "SELECT t.track_id, t.title FROM files AS f JOIN tracks AS t USING (track_id) WHERE f.path IN (?, ?)",
            [os.path.realpath(path), str(path)],
        ).fetchone()
    return None if row is None else Query("track", row[1], track_id=row[0])


def _track_called(catalog: Catalog, text: str) -> Query | None:
    """Find a track by title or ``Artist - Title``: as written, else whatever the case and accents."""
    from mir.catalog.artists import plain_key

    with catalog.read() as con:
        rows = con.execute("SELECT track_id, title, artist, path FROM tracks ORDER BY path").fetchall()
    wanted = plain_key(text)
    for same in (str, plain_key):
        asked = text if same is str else wanted
        found = [row for row in rows if asked and asked in (same(row[1]), same(f"{row[2]} - {row[1]}"))]
        if len(found) > 1:
            several = "; ".join(f"{number}: {artist} - {title} ({path})" for number, title, artist, path in found[:5])
            raise NotInCatalog(f"{len(found)} tracks are called {text!r}: give the number or path of one. {several}")
        if found:
            return Query("track", found[0][1], track_id=found[0][0])
    return None


def _track_numbered(catalog: Catalog, text: str) -> Query | None:
    with catalog.read() as con:
        row = con.execute(
            "SELECT track_id, title FROM tracks WHERE CAST(track_id AS VARCHAR) = ?", [text.strip()]
        ).fetchone()
    return None if row is None else Query("track", row[1], track_id=row[0])


def _file(catalog: Catalog, path: Path) -> Query:
    from separation.audio import packet_hash

    with catalog.read() as con:
        row = con.execute("SELECT track_id, title FROM tracks WHERE audio_hash = ?", [packet_hash(path)]).fetchone()
    if row is not None:
        return Query("track", row[1], track_id=row[0])
    return Query("file", str(path))


def _hear(path: Path, spaces: Sequence[str], model: str) -> Heard:
    """Separate and describe a file, as ingesting it would."""
    from mir.analysis import describe_file

    logger.info("%s is not in the catalog: it is separated and described for this question", path)
    _, results = describe_file(path, model, spaces)
    heard = Heard({}, {}, {})
    for result in results:
        if result.state == "ok" and result.descriptor is not None:
            heard.descriptors[result.space] = result.descriptor
            heard.values[result.space] = dict(result.values or {})
        else:
            heard.reasons[result.space] = result.reason or result.state
    return heard


def lacking(con: duckdb.DuckDBPyConnection, query: Query, space: str, instrument: str) -> NothingToCompare:
    """Say why a query has nothing to compare in a space."""
    label = f"{query.kind} {query.label!r}"
    if query.heard is not None:
        return NothingToCompare(f"{label} has no {instrument} to compare: {query.heard.reasons.get(space, 'silent')}")
    rows = con.execute(
        "SELECT coalesce(e.state, 'missing') AS state, count(*) FROM tracks AS t"
        " LEFT JOIN (FROM extractions WHERE space = ?) AS e USING (track_id)"
        " WHERE t.track_id = ? OR t.track_id IN (SELECT track_id FROM track_artists WHERE artist_id = ?)"
        " GROUP BY ALL",
        [space, query.track_id, query.artist_id],
    ).fetchall()
    counts = dict(rows)
    total = sum(counts.values())
    if counts.get("silent", 0) == total:
        why = "it is silent" if total == 1 else f"it is silent in all {total} tracks"
        return NothingToCompare(f"{label} has no {instrument} to compare: {why}")
    counted = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return NothingToCompare(
        f"{label} has no {instrument} to compare ({counted}); `mir ingest` measures what is missing, "
        "`mir status` shows what failed"
    )
