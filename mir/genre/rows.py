"""Tracks as a run's model takes them: those that are asked about, and all that the catalog has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog.records import SpaceResult
from mir.errors import NothingToCompare
from mir.genre.dataset import feature_matrix, feature_row, load
from mir.genre.labels import LabelMap
from mir.genre.model import Matrix
from mir.genre.runs import Run

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.similarity.query import Heard as HeardFile


@dataclass(frozen=True, slots=True)
class Asked:
    """A track that is asked about, its features in `row`, shape ``(d,)``; `track_id` is None for a file outside.

    `genres` are those that it has already, whoever says so.
    """

    query: str
    track_id: int | None
    artist: str | None
    title: str
    row: Matrix
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """All tracks with features of a run: `matrix` ``(n, d)``, `track_ids` ``(n,)``, `genres` ``(n,)`` (empty: none)."""

    matrix: Matrix
    track_ids: NDArray[np.int64]
    genres: NDArray[np.str_]


def rows_of(catalog: Catalog, run: Run, track_ids: NDArray[np.int64]) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return the features in the run's order, shape ``(n, d)``, and which rows have any, shape ``(n,)``."""
    matrix, names = feature_matrix(catalog, tuple(run.spaces), track_ids)
    heard: NDArray[np.bool_] = np.any(matrix[:, [name.endswith(".sounds") for name in names]] > 0, axis=1)
    return matrix, heard


def everything_heard(catalog: Catalog, run: Run) -> Heard:
    """Read what the catalog has of all tracks, with the genres that the run's label map makes of their labels."""
    with catalog.read() as con:
        rows = con.execute("SELECT track_id FROM tracks ORDER BY track_id").fetchall()
    track_ids = np.array([row[0] for row in rows], dtype=np.int64)
    matrix, heard = rows_of(catalog, run, track_ids)
    labelled = load(catalog, LabelMap(run.parameters["label_map"]))
    genre_of = dict(zip(labelled.track_ids.tolist(), labelled.labels.tolist(), strict=True))
    genres = np.array([genre_of.get(track, "") for track in track_ids[heard].tolist()], dtype=np.str_)
    return Heard(matrix[heard], track_ids[heard], genres)


def asked_about(catalog: Catalog, run: Run, query: str, separator: str) -> list[Asked]:
    """Find a file, a track, or all tracks of an artist (`mir.similarity.query.find`), with the features of the run.

    Raises
    ------
    NotInCatalog
        Where nothing answers to the query, or several tracks have that title.
    NothingToCompare
        Where there are no features of any space of the run.
    """
    from mir.catalog.queries import track_table
    from mir.similarity.query import find_query

    spaces = tuple(run.spaces)
    found = find_query(catalog, query, spaces, separator)
    if found.heard is not None:
        return [_outside(query, found.heard, spaces)]
    rows = [
        row
        for row in sorted(track_table(catalog), key=lambda row: (row.title, row.path))
        if (row.track_id == found.track_id if found.kind == "track" else found.label in row.artists)
    ]
    track_ids = np.array([row.track_id for row in rows], dtype=np.int64)
    matrix, known = rows_of(catalog, run, track_ids)
    asked = [
        Asked(query, row.track_id, ", ".join(row.artists) or None, row.title, numbers, tuple(row.genres))
        for row, numbers, heard in zip(rows, matrix, known, strict=True)
        if heard
    ]
    if not asked:
        raise NothingToCompare(f"{query!r} has none of {', '.join(spaces)} in the catalog; mir status says why")
    return asked


def _outside(query: str, heard: HeardFile, spaces: Sequence[str]) -> Asked:
    """Features of a file that was described for this question alone."""
    from mir.tags import read_tags

    if not heard.descriptors:
        reasons = "; ".join(f"{space}: {reason}" for space, reason in heard.reasons.items())
        raise NothingToCompare(f"nothing to tell a genre from in {query!r} ({reasons})")
    results = [
        SpaceResult(space, EXTRACTORS[space].version, "", "ok", values=heard.values[space], descriptor=descriptor)
        for space, descriptor in heard.descriptors.items()
    ]
    tags = read_tags(Path(query))
    row = feature_row(results, spaces)[0]
    return Asked(query, None, ", ".join(tags.artists) or None, tags.title, row, tuple(tags.genres))
