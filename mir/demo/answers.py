"""What is asked of the demo's catalog, as anybody could ask it of theirs; the truth is not seen here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mir.catalog import Catalog

ASKED_BY = ("vocals", "mix", "drums")
"""Instruments by which each artist's likes are asked for."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One artist that sounds like the one asked about; larger is nearer."""

    artist: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the catalog says of one track.

    Parameters
    ----------
    file
        Name of its file.
    tempo_bpm, four_on_the_floor, f0_median_hz
        As the extractors measured them; NaN where there is nothing to measure.
    vocals
        State of its vocals: ``ok``, ``silent`` or ``failed``.
    genre
        What a classifier that never heard this artist calls it, from the drums; empty without one.
    """

    file: str
    artist: str
    title: str
    tempo_bpm: float
    four_on_the_floor: float
    f0_median_hz: float
    vocals: str
    genre: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that was asked, answered.

    Parameters
    ----------
    neighbours
        Instrument → artist → the other artists, nearest first.
    tracks
        By artist and title.
    genre_protocol
        How the genres were told; empty without labels.
    """

    artists: tuple[str, ...]
    neighbours: Mapping[str, Mapping[str, tuple[Neighbour, ...]]]
    tracks: tuple[Heard, ...]
    genre_protocol: str


def ask(catalog: Catalog, on_question: Callable[[int, int, str], None] | None = None) -> Answers:
    """Ask for likes of each artist by each instrument, and for rhythm, genre and voices of each track.

    Parameters
    ----------
    catalog
        Any catalog.
    on_question
        Called with questions answered, questions in all, and what is next.
    """
    from mir.errors import NothingToCompare
    from mir.similarity import similar_artists

    artists = tuple(row[0] for row in catalog.fetch("SELECT artist FROM artists ORDER BY artist").rows)
    total = len(ASKED_BY) * len(artists) + 2
    done = 0

    def tell(what: str) -> None:
        if on_question is not None:
            on_question(done, total, what)

    neighbours: dict[str, dict[str, tuple[Neighbour, ...]]] = {}
    for instrument in ASKED_BY:
        neighbours[instrument] = {}
        for artist in artists:
            tell(f"who is like {artist} by {instrument}?")
            try:
                hits = similar_artists(catalog, artist, {instrument: 1.0}, len(artists))
            except NothingToCompare:
                hits = []
            neighbours[instrument][artist] = tuple(Neighbour(hit.artist, float(hit.similarity)) for hit in hits)
            done += 1
    tell("genre from the drums, artists held out")
    genres, protocol = _genres(catalog)
    done += 1
    tell("tempo and voices")
    tracks = _tracks(catalog, genres)
    done += 1
    tell("")
    return Answers(artists, neighbours, tracks, protocol)


def _genres(catalog: Catalog) -> tuple[dict[int, str], str]:
    """Predict each track's genre from its drums by a model that was trained without its artist."""
    from features import INSTRUMENTS
    from mir.errors import TooFewLabels
    from mir.genre.dataset import load
    from mir.genre.evaluation import cross_predict

    dataset = load(catalog).select([INSTRUMENTS["drums"]])
    n_artists = len(set(dataset.groups.tolist()))
    try:
        predicted = cross_predict(dataset, folds=n_artists)
    except TooFewLabels as error:
        return {}, str(error)
    guesses = predicted.guesses[0].tolist()
    protocol = f"a classifier of drums alone that never heard the artist ({n_artists} folds, {len(guesses)} tracks)"
    return dict(zip(dataset.track_ids.tolist(), guesses, strict=True)), protocol


def _tracks(catalog: Catalog, genres: Mapping[int, str]) -> tuple[Heard, ...]:
    rows = catalog.fetch(
        "SELECT t.track_id, t.path, t.artist, t.title, d.tempo_bpm, d.four_on_the_floor,"
        " v.f0_median_hz, e.state"
        " FROM tracks AS t LEFT JOIN drum_rhythm AS d USING (track_id)"
        " LEFT JOIN vocal_timbre AS v USING (track_id)"
        " LEFT JOIN extractions AS e ON e.track_id = t.track_id AND e.space = 'vocal_timbre'"
        " ORDER BY t.artist, t.title"
    ).rows
    return tuple(
        Heard(
            file=Path(path).name,
            artist=artist,
            title=title,
            tempo_bpm=_number(tempo),
            four_on_the_floor=_number(four),
            f0_median_hz=_number(f0),
            vocals=state or "missing",
            genre=genres.get(track_id, ""),
        )
        for track_id, path, artist, title, tempo, four, f0, state in rows
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
