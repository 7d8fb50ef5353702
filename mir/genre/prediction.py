"""What a run makes of tracks: one file, an artist, or everything that nobody has labelled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mir.errors import NothingToCompare, NotInCatalog
from mir.genre.dataset import feature_row
from mir.genre.model import Matrix, predict_proba
from mir.genre.rows import rows_of
from mir.genre.runs import Model, load_model, publish

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.catalog.queries import TrackRow


@dataclass(frozen=True, slots=True)
class Prediction:
    """The genre of one track as a run hears it; `track_id` is None for a file outside the catalog."""

    query: str
    track_id: int | None
    artist: str | None
    title: str
    genre: str
    probability: float
    probabilities: dict[str, float]
    known: tuple[str, ...]
    run_id: str

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir genre predict --json``, likeliest genres first."""
        return {
            "query": self.query,
            "track_id": self.track_id,
            "artist": self.artist,
            "title": self.title,
            "genre": self.genre,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "known": list(self.known),
            "run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` did: tracks labelled, tracks that a tag or a person had labelled, tracks never heard."""

    run_id: str
    labelled: int
    kept: int
    without_features: int


def predict(catalog: Catalog, query: str, *, run_id: str | None = None, separator: str = "mir-4s") -> list[Prediction]:
    """Tell the genre of a file, of all tracks of an artist, or of a track by id, title or ``Artist - Title``.

    Stored features are used where the catalog has the file; else it is separated and described now.

    Parameters
    ----------
    catalog
        The catalog that has the run.
    query
        Path, artist, or track.
    run_id
        The run, None for the promoted one.
    separator
        Separation model for a file outside the catalog.

    Raises
    ------
    NotInCatalog
        Where nothing answers to the query, or there is no run.
    NothingToCompare
        Where the track has no features of any space that the run reads.
    ArtifactRefused
        Where the run's model cannot be used.
    AudioUnreadable
        Where a file is no audio.
    """
    model = load_model(catalog, run_id)
    path = Path(query)
    if path.is_file():
        from mir.catalog.queries import known_files, track_table
        from separation.audio import packet_hash

        files = known_files(catalog)
        known = files.get(os.path.realpath(path))
        if known is None or known.track_id is None:
            # The same audio elsewhere is the same track.
            audio_hash = packet_hash(path)
            known = next((file for file in files.values() if file.audio_hash == audio_hash), None)
        if known is None:
            return [_outside(model, query, path, separator)]
        rows = [row for row in track_table(catalog) if row.track_id == known.track_id]
    else:
        rows = _find_tracks(catalog, query)
    return _stored(catalog, model, query, rows)


def apply(catalog: Catalog, *, run_id: str | None = None) -> Applied:
    """Predict every track that no tag and no person labelled, and keep all probabilities.

    ``genre_predictions`` gets the run's opinion; ``track_genres`` gets the likeliest genre, with source
    ``predicted``, where the run is the promoted one. Labels of tags and persons stay as they are.

    Raises
    ------
    NotInCatalog
        Where there is no run.
    ArtifactRefused
        Where the run's model cannot be used.
    """
    model = load_model(catalog, run_id)
    with catalog.read() as con:
        rows = con.execute(
            "SELECT track_id, EXISTS (SELECT 1 FROM track_genres AS g WHERE g.track_id = t.track_id"
            " AND g.source IN ('tag', 'person')) FROM tracks AS t ORDER BY track_id"
        ).fetchall()
    open_ids = np.array([track for track, labelled in rows if not labelled], dtype=np.int64)
    matrix, heard = rows_of(catalog, model.run, open_ids)
    track_ids = open_ids[heard]
    labels = model.run.labels
    probabilities = (
        predict_proba(model.pipeline, matrix[heard], labels) if len(track_ids) else np.zeros((0, len(labels)))
    )
    with catalog.write() as con:
        con.execute("DELETE FROM genre_predictions WHERE run_id = ?", [model.run.run_id])
        con.execute(
            "INSERT INTO genre_predictions (track_id, run_id, genre, probability)"
            " SELECT unnest(?::BIGINT[]), ?, unnest(?::VARCHAR[]), unnest(?::DOUBLE[])",
            [
                np.repeat(track_ids, len(labels)).tolist(),
                model.run.run_id,
                list(labels) * len(track_ids),
                probabilities.ravel().tolist(),
            ],
        )
        if model.run.promoted:
            publish(con, model.run.run_id)
    return Applied(model.run.run_id, len(track_ids), len(rows) - len(open_ids), len(open_ids) - len(track_ids))


def _find_tracks(catalog: Catalog, query: str) -> list[TrackRow]:
    from mir.catalog.queries import find_artist, track_table

    table = track_table(catalog)
    if query.isdigit() and (rows := [row for row in table if row.track_id == int(query)]):
        return rows
    try:
        artist = find_artist(catalog, query).artist
    except NotInCatalog:
        wanted = query.casefold()
        rows = [row for row in table if wanted in _names(row)]
        if rows:
            return rows
        raise
    return [row for row in table if artist in row.artists]


def _names(row: TrackRow) -> set[str]:
    title = row.title.casefold()
    return {title, *(f"{artist.casefold()} - {title}" for artist in row.artists)}


def _stored(catalog: Catalog, model: Model, query: str, rows: Sequence[TrackRow]) -> list[Prediction]:
    track_ids = np.array([row.track_id for row in rows], dtype=np.int64)
    matrix, heard = rows_of(catalog, model.run, track_ids)
    found = [row for row, has in zip(rows, heard, strict=True) if has]
    if not found:
        raise NothingToCompare(
            f"{query!r} has none of {', '.join(model.run.spaces)} in the catalog; mir status says why"
        )
    probabilities = predict_proba(model.pipeline, matrix[heard], model.run.labels)
    return [
        _prediction(model, query, row.track_id, ", ".join(row.artists) or None, row.title, row.genres, numbers)
        for row, numbers in zip(found, probabilities, strict=True)
    ]


def _outside(model: Model, query: str, path: Path, separator: str) -> Prediction:
    from mir.analysis import describe_file
    from mir.tags import read_tags

    _, results = describe_file(path, separator)
    row = feature_row(results, tuple(model.run.spaces))
    if not any(result.state == "ok" and result.space in model.run.spaces for result in results):
        reasons = "; ".join(f"{result.space}: {result.reason or result.state}" for result in results)
        raise NothingToCompare(f"nothing to tell a genre from in {query!r} ({reasons})")
    tags = read_tags(path)
    probabilities = predict_proba(model.pipeline, row, model.run.labels)
    return _prediction(model, query, None, ", ".join(tags.artists) or None, tags.title, tags.genres, probabilities[0])


def _prediction(
    model: Model,
    query: str,
    track_id: int | None,
    artist: str | None,
    title: str,
    known: Sequence[str],
    probabilities: Matrix,
) -> Prediction:
    pairs = zip(model.run.labels, probabilities.tolist(), strict=True)
    ordered = dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
    genre = next(iter(ordered))
    return Prediction(query, track_id, artist, title, genre, ordered[genre], ordered, tuple(known), model.run.run_id)
