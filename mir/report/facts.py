"""What a report of one track says, as plain data: its numbers, their place among everybody's, and who is near."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog.records import SpaceResult, StemRow
from mir.catalog.schema import identifier
from mir.errors import MirError
from mir.similarity.asking import ask
from mir.similarity.query import Query
from mir.similarity.ranking import rank_artists, rank_tracks
from mir.standing import percentile

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

_NO_AMOUNT: Final = ("key_", "mode_", "tempo_confidence", "tuning_")
"""Numbers of which the highest is nothing remarkable."""

_NEVER: Final = "not measured, or by an earlier version; mir ingest measures what is missing"

NEAREST: Final = 5
"""Artists and tracks that are named as the most alike, by each instrument."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One named number of a track, and everybody's.

    Parameters
    ----------
    instrument, name, unit, description
        As declared.
    value
        None where it could not be measured.
    everybody
        The catalog's values, without those that could not be measured.
    percentile
        Share of them that are smaller, 0 to 100, ties counted half; None without any.
    """

    instrument: str
    name: str
    unit: str
    description: str
    value: float | None
    everybody: NDArray[np.float64] = field(repr=False)
    percentile: float | None


@dataclass(frozen=True, slots=True)
class Near:
    """Who is alike by one instrument."""

    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument of a track.

    Parameters
    ----------
    state, reason
        ``ok``, ``silent``, ``failed`` or ``missing``, and why.
    features
        Empty unless ``ok``.
    artists, tracks
        The most alike, best first.
    """

    instrument: str
    space: str
    state: str
    reason: str | None
    features: tuple[Feature, ...]
    artists: tuple[Near, ...]
    tracks: tuple[Near, ...]


@dataclass(frozen=True, slots=True)
class About:
    """Who and what a track is; `track_id` is None outside a catalog."""

    track_id: int | None
    path: str
    title: str
    artist: str
    album: str | None
    year: int | None
    duration_s: float
    sample_rate_hz: int
    n_channels: int
    codec: str
    genres: Sequence[str]
    predicted_genre: str | None = None
    predicted_probability: float | None = None


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """Everything that a report of one track says; `compared` is how many tracks it was held against."""

    about: About
    stems: tuple[StemRow, ...]
    parts: tuple[Part, ...]
    compared: int

    def value(self, space: str, name: str) -> float | None:
        """Return a number of the track, None where there is none."""
        found = [one.value for part in self.parts if part.space == space for one in part.features if one.name == name]
        return found[0] if found else None

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it, without everybody's values."""
        about = {name: getattr(self.about, name) for name in About.__slots__}
        return {
            **about,
            "compared": self.compared,
            "stems": [
                {"stem": row.stem, "loudness_lufs": row.loudness_lufs, "active_ratio": row.active_ratio}
                for row in self.stems
            ],
            "instruments": {part.instrument: _plain_part(part) for part in self.parts},
        }


def _plain_part(part: Part) -> dict[str, Any]:
    return {
        "state": part.state,
        "reason": part.reason,
        "features": {
            one.name: {"value": one.value, "unit": one.unit, "percentile": one.percentile} for one in part.features
        },
        "artists": [{"artist": one.name, "similarity": one.similarity} for one in part.artists],
        "tracks": [{"track": one.name, "similarity": one.similarity} for one in part.tracks],
    }


def stored(con: duckdb.DuckDBPyConnection, track_id: int) -> tuple[About, tuple[StemRow, ...], list[SpaceResult]]:
    """Return what the catalog has of a track; results without descriptors."""
    row = con.execute(
        "SELECT t.track_id, t.path, t.title, t.artist, t.album, t.year, t.duration_s, t.sample_rate_hz, t.n_channels,"
        " t.codec, coalesce(l.genres, []) AS genres, l.predicted_genre, l.predicted_probability"
        " FROM tracks AS t JOIN library AS l USING (track_id) WHERE t.track_id = ?",
        [track_id],
    ).fetchall()[0]
    about = About(*row)
    stems = con.execute(
        "SELECT stem, source_id, loudness_lufs, active_ratio, path FROM stems WHERE track_id = ? ORDER BY stem",
        [track_id],
    ).fetchall()
    states = con.execute(
        "SELECT space, extractor_version, source_id, state, reason FROM extractions WHERE track_id = ?", [track_id]
    ).fetchall()
    results = []
    for space, version, source_id, state, reason in states:
        values = _values(con, space, track_id) if state == "ok" and space in EXTRACTORS else None
        if state != "ok" or values is not None:  # else it was measured by an extractor that is no more
            results.append(SpaceResult(space, version, source_id, state, reason, values=values))
    return about, tuple(StemRow(*stem) for stem in stems), results


def parts(catalog: Catalog | None, query: Query, results: Sequence[SpaceResult]) -> tuple[tuple[Part, ...], int]:
    """Return each instrument's numbers among everybody's and its likes, and how many tracks they are held against.

    Parameters
    ----------
    catalog
        Who everybody is; None for nobody.
    query
        The track, or what was heard of a file.
    results
        Its numbers.
    """
    if catalog is None:
        return tuple(_part(space, results, {}, (), ()) for space in EXTRACTORS), 0
    found = []
    with catalog.read() as con:
        ((count,),) = con.execute("SELECT count(*) FROM tracks").fetchall()
        for space in EXTRACTORS:
            ok = any(one.space == space and one.state == "ok" for one in results)
            artists, tracks = _nearest(catalog, con, query, EXTRACTORS[space].instrument) if ok else ((), ())
            found.append(_part(space, results, _everybody(con, space) if ok else {}, artists, tracks))
    return tuple(found), int(count)


def measured_columns(con: duckdb.DuckDBPyConnection, space: str) -> list[str]:
    """Return the declared columns that the catalog has: one of an earlier version lacks what is new."""
    rows = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() AND table_name = ?", [space]
    ).fetchall()
    there = {name for (name,) in rows}
    return [column.name for column in EXTRACTORS[space].columns if column.name in there]


def unusual(facts: TrackFacts, most: int = 6) -> list[Feature]:
    """Return the numbers that stand out most: furthest from the middle of at least twenty tracks, one of a family."""
    known = [
        one
        for part in facts.parts
        for one in part.features
        if one.percentile is not None and len(one.everybody) >= 20 and not one.name.startswith(_NO_AMOUNT)
    ]
    known.sort(key=lambda one: -abs((one.percentile or 0.0) - 50.0))
    chosen: list[Feature] = []
    for one in known:
        family = (one.instrument, one.name.split("_")[0])
        if abs((one.percentile or 0.0) - 50.0) >= 40 and family not in {
            (e.instrument, e.name.split("_")[0]) for e in chosen
        }:
            chosen.append(one)
    return chosen[:most]


def _values(con: duckdb.DuckDBPyConnection, space: str, track_id: int) -> dict[str, float] | None:
    names = measured_columns(con, space)
    if not names:
        return None
    sql = f"SELECT {', '.join(map(identifier, names))} FROM {identifier(space)} WHERE track_id = ?"  # noqa: S608 - declared names
    row = con.execute(sql, [track_id]).fetchone()
    return (
        None
        if row is None
        else {name: np.nan if value is None else value for name, value in zip(names, row, strict=True)}
    )


def _everybody(con: duckdb.DuckDBPyConnection, space: str) -> dict[str, NDArray[np.float64]]:
    """Return every track's values by column, without those that could not be measured."""
    names = ", ".join(map(identifier, measured_columns(con, space)))
    if not names:
        return {}
    found = con.execute(f"SELECT {names} FROM {identifier(space)}").fetchnumpy()  # noqa: S608 - declared names
    columns = {name: np.ma.filled(np.ma.asarray(values, np.float64), np.nan) for name, values in found.items()}
    return {name: values[np.isfinite(values)] for name, values in columns.items()}


def _nearest(
    catalog: Catalog, con: duckdb.DuckDBPyConnection, query: Query, instrument: str
) -> tuple[tuple[Near, ...], tuple[Near, ...]]:
    """Return the artists and tracks most alike by one instrument; nobody where there is nothing to compare with."""
    try:
        asked = ask(catalog, con, (query,), {instrument: 1.0}, None)
    except MirError:
        return (), ()
    artists = rank_artists(asked.voices, asked.answering(), asked.artists_left_out(), NEAREST)
    tracks = rank_tracks(asked.voices, asked.tracks_left_out(), NEAREST)
    names = dict(
        con.execute(
            "SELECT artist_id, artist FROM artists WHERE artist_id IN (SELECT unnest(?::BIGINT[]))",
            [artists.ids.tolist()],
        ).fetchall()
    )
    titles = dict(
        con.execute(
            "SELECT track_id, artist || ' – ' || title FROM tracks WHERE track_id IN (SELECT unnest(?::BIGINT[]))",
            [tracks.ids.tolist()],
        ).fetchall()
    )
    return _near(names, artists.ids.tolist(), artists.cosines), _near(titles, tracks.ids.tolist(), tracks.cosines)


def _near(names: Mapping[int, str], ids: Sequence[int], cosines: NDArray[np.float64]) -> tuple[Near, ...]:
    return tuple(Near(names[one], float(cosine)) for one, cosine in zip(ids, cosines[:, 0].tolist(), strict=True))


def _part(
    space: str,
    results: Sequence[SpaceResult],
    everybody: Mapping[str, NDArray[np.float64]],
    artists: tuple[Near, ...],
    tracks: tuple[Near, ...],
) -> Part:
    declared = EXTRACTORS[space]
    result = next((one for one in results if one.space == space), None)
    if result is None:
        return Part(declared.instrument, space, "missing", _NEVER, (), artists, tracks)
    features = []
    for column in declared.columns if result.values is not None else ():
        value = _finite((result.values or {}).get(column.name))
        others = everybody.get(column.name, np.empty(0))
        features.append(
            Feature(
                declared.instrument,
                column.name,
                column.unit,
                column.description,
                value,
                others,
                percentile(others, value),
            )
        )
    return Part(declared.instrument, space, result.state, result.reason, tuple(features), artists, tracks)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
