"""What a report of a library counts: tracks, genres, tempi, keys, and how they changed over the decades."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from features.base import Column
from mir.catalog.schema import identifier
from mir.report.facts import measured_columns

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog
    from mir.status import Status

ENOUGH: Final = 5
"""Tracks that a decade or a genre needs for a median to be shown."""

TRENDS: Final = (
    ("drum_rhythm", "tempo_bpm"),
    ("mixture", "loudness_lufs"),
    ("mixture", "loudness_range_lu"),
    ("mixture", "stereo_width"),
    ("vocal_timbre", "f0_median_hz"),
    ("drum_rhythm", "syncopation"),
)
"""Numbers that are followed over the decades."""

BY_GENRE: Final = (
    ("drum_rhythm", "tempo_bpm"),
    ("drum_rhythm", "four_on_the_floor"),
    ("drum_rhythm", "syncopation"),
    ("vocal_timbre", "f0_median_hz"),
    ("vocal_timbre", "voiced_ratio"),
    ("mixture", "loudness_lufs"),
)
"""Numbers whose medians are shown by genre."""


@dataclass(frozen=True, slots=True)
class Genre:
    """How many tracks have a genre by a label and by a prediction; medians by ``(space, column)``, NaN for none."""

    genre: str
    labelled: int
    predicted: int
    medians: dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Trend:
    """A number over the decades: median and quartiles of those with enough tracks."""

    space: str
    column: Column
    decades: tuple[int, ...]
    counts: tuple[int, ...]
    quartiles: NDArray[np.float64]
    """Shape ``(n_decades, 3)``: 25th, 50th and 75th percentile."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A library in numbers.

    Parameters
    ----------
    without
        How many tracks have no artist, year or genre.
    years, tempo_bpm, loudness_lufs
        Of all tracks that have one.
    keys
        Tracks by pitch class of the tonic: row 0 minor, row 1 major; shape ``(2, 12)``.
    """

    status: Status = field(repr=False)
    without: dict[str, int]
    genres: tuple[Genre, ...]
    years: NDArray[np.float64] = field(repr=False)
    tempo_bpm: NDArray[np.float64] = field(repr=False)
    loudness_lufs: NDArray[np.float64] = field(repr=False)
    keys: NDArray[np.int64] = field(repr=False)
    trends: tuple[Trend, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "tracks": self.status.tracks,
            "artists": self.status.artists,
            "duration_s": self.status.duration_s,
            "files_gone": len(self.status.gone),
            "without": self.without,
            "genres": [
                {"genre": one.genre, "labelled": one.labelled, "predicted": one.predicted} for one in self.genres
            ],
            "trends": [
                {
                    "space": one.space,
                    "column": one.column.name,
                    "decades": list(one.decades),
                    "tracks": list(one.counts),
                    "medians": one.quartiles[:, 1].tolist(),
                }
                for one in self.trends
            ],
        }


def overview(catalog: Catalog) -> Overview:
    """Count a library."""
    from mir.status import status

    with catalog.read() as con:
        without = con.execute(
            "SELECT count(*) FILTER (NOT EXISTS (FROM track_artists AS a WHERE a.track_id = t.track_id)) AS artist,"
            " count(*) FILTER (year IS NULL) AS year,"
            " count(*) FILTER (NOT EXISTS (FROM track_genres AS g WHERE g.track_id = t.track_id)) AS genre"
            " FROM tracks AS t"
        ).fetchall()[0]
        keys = np.zeros((2, 12), np.int64)
        for tonic, major, count in con.execute(
            "SELECT key_pitch_class, mode_is_major, count(*) FROM harmony"
            " WHERE key_pitch_class IS NOT NULL AND mode_is_major IS NOT NULL GROUP BY ALL"
        ).fetchall():
            keys[int(major > 0.5), round(tonic) % 12] += count
        years = _numbers(con, "SELECT year FROM tracks WHERE year IS NOT NULL")
        tempi = _numbers(con, "SELECT tempo_bpm FROM drum_rhythm WHERE tempo_bpm IS NOT NULL")
        loudness = _numbers(con, "SELECT loudness_lufs FROM mixture WHERE loudness_lufs IS NOT NULL")
        trends = [_trend(con, space, column) for space, column in _there(con, TRENDS)]
        genres = _genres(con)
    return Overview(
        status=status(catalog),
        without=dict(zip(("artist", "year", "genre"), without, strict=True)),
        genres=genres,
        years=years,
        tempo_bpm=tempi,
        loudness_lufs=loudness,
        keys=keys,
        trends=tuple(one for one in trends if len(one.decades) > 1),
    )


def _numbers(con: duckdb.DuckDBPyConnection, sql: str) -> NDArray[np.float64]:
    (found,) = con.execute(sql).fetchnumpy().values()
    return np.asarray(found, np.float64)


def _there(con: duckdb.DuckDBPyConnection, wanted: tuple[tuple[str, str], ...]) -> list[tuple[str, Column]]:
    """Return the columns that extractors declare and the catalog has, of those that are wanted."""
    here = {space: measured_columns(con, space) for space in EXTRACTORS}
    columns = {(space, column.name): column for space, one in EXTRACTORS.items() for column in one.columns}
    return [(space, columns[space, name]) for space, name in wanted if name in here.get(space, ())]


def _trend(con: duckdb.DuckDBPyConnection, space: str, column: Column) -> Trend:
    name = identifier(column.name)
    sql = (
        f"SELECT 10 * (year // 10) AS decade, count(*), quantile_cont({name}, [0.25, 0.5, 0.75])"  # noqa: S608 - declared names
        f" FROM {identifier(space)} JOIN tracks USING (track_id) WHERE year IS NOT NULL AND {name} IS NOT NULL"
        " GROUP BY decade HAVING count(*) >= ? ORDER BY decade"
    )
    rows = con.execute(sql, [ENOUGH]).fetchall()
    quartiles = np.array([row[2] for row in rows], np.float64).reshape(-1, 3)
    return Trend(space, column, tuple(row[0] for row in rows), tuple(row[1] for row in rows), quartiles)


def _genres(con: duckdb.DuckDBPyConnection) -> tuple[Genre, ...]:
    counted = con.execute(
        "SELECT genre, count(DISTINCT track_id) FILTER (source <> 'predicted') AS labelled,"
        " count(DISTINCT track_id) FILTER (source = 'predicted') AS predicted FROM track_genres"
        " GROUP BY genre ORDER BY labelled + predicted DESC, genre"
    ).fetchall()
    medians: dict[str, dict[tuple[str, str], float]] = {genre: {} for genre, _, _ in counted}
    for space, column in _there(con, BY_GENRE):
        name = identifier(column.name)
        rows = con.execute(
            f"SELECT genre, median({name}) FROM (SELECT DISTINCT track_id, genre FROM track_genres)"  # noqa: S608 - declared names
            f" JOIN {identifier(space)} USING (track_id) WHERE {name} IS NOT NULL GROUP BY genre"
        ).fetchall()
        for genre, median in rows:
            medians[genre][space, column.name] = median
    return tuple(Genre(genre, labelled, predicted, medians[genre]) for genre, labelled, predicted in counted)
