"""One track in full, and where each of its numbers stands among the catalog's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog.schema import identifier
from mir.errors import NotInCatalog

if TYPE_CHECKING:
    import duckdb

BINS: Final = 24
_OUTER: Final = (1, 99)
"""Percentiles between which a distribution is drawn; what lies beyond counts in the outer bins."""
_GENRES: Final = 6


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a column is spread over the catalog.

    Parameters
    ----------
    counts
        Tracks in each of `BINS` equal stretches from `low` to `high`.
    low, high
        First and 99th percentile, in the column's unit.
    quantiles
        Shape ``(101,)``: every percentile.
    n
        Tracks that have a value.
    """

    counts: tuple[int, ...]
    low: float
    high: float
    quantiles: NDArray[np.float64]
    n: int

    def percentile(self, value: float) -> float:
        """Return the share of tracks below a value, 0 to 100; ties counted half."""
        below = np.searchsorted(self.quantiles, value, side="left")
        upto = np.searchsorted(self.quantiles, value, side="right")
        if upto > below:
            return float(min((below + upto - 1) / 2, 100.0))
        return float(np.interp(value, self.quantiles, np.arange(101)))

    def bin(self, value: float) -> int:
        """Return which bin a value is in, 0 to `BINS` − 1."""
        if self.high <= self.low:
            return BINS // 2
        return int(np.clip((value - self.low) / (self.high - self.low) * BINS, 0, BINS - 1))


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre of a track: who says so (tag, person, predicted), and how sure a prediction is."""

    genre: str
    source: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One space of a track: `state` is ok, silent, failed or missing; values are None where not measurable."""

    state: str
    reason: str | None
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Stem:
    """A stem as an ingest measured it; `path` where it was kept."""

    stem: str
    source_id: str
    loudness_lufs: float | None
    active_ratio: float | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """What the catalog knows of one track beyond what lists show.

    `predicted` is what the promoted run gives it, likeliest first; `run_id` is that run, None where there is none.
    """

    genres: tuple[Genre, ...]
    predicted: tuple[Genre, ...]
    run_id: str | None
    stems: tuple[Stem, ...]
    spaces: Mapping[str, Measured]
    sample_rate_hz: int
    n_channels: int
    codec: str
    paths: tuple[str, ...]


def read_details(con: duckdb.DuckDBPyConnection, track_id: int) -> Details:
    """Read all of a track.

    Raises
    ------
    NotInCatalog
        Where it is not there (any more).
    """
    row = con.execute("SELECT sample_rate_hz, n_channels, codec FROM tracks WHERE track_id = ?", [track_id]).fetchone()
    if row is None:
        raise NotInCatalog(f"no track {track_id} in the catalog")
    genres = con.execute(
        "SELECT genre, source, probability FROM track_genres WHERE track_id = ?"
        " ORDER BY CASE source WHEN 'person' THEN 0 WHEN 'tag' THEN 1 ELSE 2 END, genre",
        [track_id],
    ).fetchall()
    run = con.execute("SELECT run_id FROM genre_runs WHERE promoted").fetchone()
    predicted = con.execute(
        "SELECT genre, 'predicted', probability FROM genre_predictions WHERE track_id = ? AND run_id = ?"
        " ORDER BY probability DESC, genre LIMIT ?",
        [track_id, run[0] if run else None, _GENRES],
    ).fetchall()
    stems = con.execute(
        "SELECT stem, source_id, loudness_lufs, active_ratio, path FROM stems WHERE track_id = ? ORDER BY stem",
        [track_id],
    ).fetchall()
    states = {
        space: (state, reason)
        for space, state, reason in con.execute(
            "SELECT space, state, reason FROM extractions WHERE track_id = ?", [track_id]
        ).fetchall()
    }
    paths = con.execute("SELECT path FROM files WHERE track_id = ? ORDER BY path", [track_id]).fetchall()
    return Details(
        genres=tuple(Genre(*each) for each in genres),
        predicted=tuple(Genre(*each) for each in predicted),
        run_id=run[0] if run else None,
        stems=tuple(Stem(*each) for each in stems),
        spaces={space: _measured(con, space, track_id, *states.get(space, ("missing", None))) for space in EXTRACTORS},
        sample_rate_hz=row[0],
        n_channels=row[1],
        codec=row[2],
        paths=tuple(path for (path,) in paths),
    )


def read_columns(con: duckdb.DuckDBPyConnection, space: str) -> dict[str, NDArray[np.float64]]:
    """Read every number of a space; NaN where a track has none."""
    names = _columns(con, space)
    if not names:
        return {}
    found = con.execute(f"SELECT {', '.join(map(identifier, names))} FROM {identifier(space)}").fetchnumpy()  # noqa: S608 - declared names
    return {
        name: np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        for name, column in zip(names, found.values(), strict=True)
    }


def distribution(values: NDArray[np.float64]) -> Distribution | None:
    """Describe how numbers are spread; None where there are none."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return None
    quantiles = np.interp(np.linspace(0, len(known) - 1, 101), np.arange(len(known)), known)
    low, high = quantiles[list(_OUTER)].tolist()
    counts = np.histogram(np.clip(known, low, high), BINS, (low, high))[0] if high > low else _all_in_the_middle(known)
    return Distribution(tuple(counts.tolist()), low, high, quantiles, len(known))


def _all_in_the_middle(known: NDArray[np.float64]) -> NDArray[np.int64]:
    counts = np.zeros(BINS, np.int64)
    counts[BINS // 2] = len(known)
    return counts


def _measured(con: duckdb.DuckDBPyConnection, space: str, track_id: int, state: str, reason: str | None) -> Measured:
    names = _columns(con, space)
    row: tuple[Any, ...] | None = None
    if names:
        row = con.execute(
            f"SELECT {', '.join(map(identifier, names))} FROM {identifier(space)} WHERE track_id = ?",  # noqa: S608 - declared names
            [track_id],
        ).fetchone()
    return Measured(state, reason, {} if row is None else dict(zip(names, row, strict=True)))


def _columns(con: duckdb.DuckDBPyConnection, space: str) -> list[str]:
    """Return those columns that this mir declares and this catalog has."""
    there = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ?", [space]
    ).fetchall()
    known = {name for (name,) in there}
    return [column.name for column in EXTRACTORS[space].columns if column.name in known]
