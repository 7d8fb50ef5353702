"""What a run makes of tracks: one file, an artist, or everything that nobody has labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mir.genre.model import Matrix, predict_proba
from mir.genre.rows import Asked, asked_about, rows_of
from mir.genre.runs import Run, load_model, publish

if TYPE_CHECKING:
    from mir.catalog import Catalog


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
    """Tell the genre of a file, of a track, or of all tracks of an artist, found as `mir.similarity.query.find` does.

    Stored features are used where the catalog has the file; else it is separated and described now.

    Parameters
    ----------
    catalog
        The catalog that has the run.
    query
        Artist; title, ``Artist - Title``, number or path of a track; or an audio file.
    run_id
        The run, None for the promoted one.
    separator
        Separation model for a file outside the catalog.

    Raises
    ------
    NotInCatalog
        Where nothing answers to the query, several tracks have that title, or there is no run.
    NothingToCompare
        Where the track has no features of any space that the run reads.
    ArtifactRefused
        Where the run's model cannot be used.
    AudioUnreadable
        Where a file is no audio.
    """
    model = load_model(catalog, run_id)
    asked = asked_about(catalog, model.run, query, separator)
    probabilities = predict_proba(model.pipeline, np.stack([one.row for one in asked]), model.run.labels)
    return [_prediction(model.run, one, row) for one, row in zip(asked, probabilities, strict=True)]


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


def _prediction(run: Run, asked: Asked, probabilities: Matrix) -> Prediction:
    pairs = zip(run.labels, probabilities.tolist(), strict=True)
    ordered = dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
    genre = next(iter(ordered))
    return Prediction(
        query=asked.query,
        track_id=asked.track_id,
        artist=asked.artist,
        title=asked.title,
        genre=genre,
        probability=ordered[genre],
        probabilities=ordered,
        known=asked.genres,
        run_id=run.run_id,
    )
