"""From a question to its answers: find what is meant, compare, name the hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mir.errors import BadRequest
from mir.indexing import open_shelf
from mir.similarity.hits import ArtistHit, Contribution, TrackHit
from mir.similarity.query import DEFAULT_MODEL, Query, find_query, lacking
from mir.similarity.ranking import (
    Ids,
    Links,
    Matrix,
    Ranked,
    Voice,
    chance_of,
    rank_artists,
    rank_tracks,
    unit,
)
from mir.similarity.weights import check_by, parse_by
from mir.spaces import space_of, transform_in

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog
    from mir.indexing import Shelf


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that has been understood: its query, who plays on what, and what is compared."""

    query: Query
    links: Links
    voices: list[Voice]


def similar_artists(
    catalog: Catalog,
    query: str | Path,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    explain: bool = False,
    model: str = DEFAULT_MODEL,
) -> list[ArtistHit]:
    """Return the artists who sound most like the query, best first.

    An artist is the mean direction of their tracks, weighted by duration. The query's own artists, artists
    who lack a positively weighted instrument, and tracks of unknown artists are no answers.

    Parameters
    ----------
    catalog
        Where to look.
    query
        Artist, track (title, ``Artist - Title`` or path), or an audio file outside the catalog.
    by
        Weight by instrument, or as written: ``vocals=0.7,drums=0.3``. At least one is positive.
    k
        How many.
    explain
        Whether each hit tells which named features make up its score.
    model
        Separation model for a file outside the catalog.

    Raises
    ------
    BadRequest
        Where an instrument is unknown, no weight is positive, or `k` is less than 1.
    NotInCatalog
        Where the query is nothing that we know.
    NothingToCompare
        Where the query lacks an instrument.
    IndexDamaged, IndexIncompatible
        Where an index cannot answer.
    """
    weights, found = _understood(catalog, query, by, k, model)
    with catalog.read() as con:
        asked = _ask(catalog, con, found, weights)
        if found.artist_id is not None:
            exclude = np.array([found.artist_id], np.int64)
        else:
            exclude = asked.links.of_track(-1 if found.track_id is None else found.track_id)
        ranked = rank_artists(asked.voices, asked.links, exclude, k)
        tracks = [asked.links.of_artist(artist_id) for artist_id in ranked.ids.tolist()]
        names = _named(con, "SELECT artist_id, artist FROM artists WHERE artist_id", ranked.ids)
        explanations = _explained(con, asked, ranked, tracks) if explain else [()] * len(ranked.ids)
    return [
        ArtistHit(
            artist=names[artist_id][0],
            similarity=float(cosines[0]) if len(weights) == 1 else score,
            score=score,
            cosines=_by_instrument(weights, asked.voices, cosines),
            tracks=len(own[0]),
            artist_id=artist_id,
            explanation=explanation,
        )
        for artist_id, score, cosines, own, explanation in zip(
            ranked.ids.tolist(), ranked.scores.tolist(), ranked.cosines, tracks, explanations, strict=True
        )
    ]


def similar_tracks(
    catalog: Catalog,
    query: str | Path,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    explain: bool = False,
    model: str = DEFAULT_MODEL,
) -> list[TrackHit]:
    """Return the tracks that sound most like the query, best first.

    Parameters and errors are those of `similar_artists`. The query track itself, or all tracks of the query
    artist, are no answers.
    """
    weights, found = _understood(catalog, query, by, k, model)
    with catalog.read() as con:
        asked = _ask(catalog, con, found, weights)
        exclude = _own_tracks(found, asked.links)[0]
        ranked = rank_tracks(asked.voices, exclude, k)
        names = _named(con, "SELECT track_id, title, artist, path FROM tracks WHERE track_id", ranked.ids)
        single = [(np.array([track_id], np.int64), np.ones(1)) for track_id in ranked.ids.tolist()]
        explanations = _explained(con, asked, ranked, single) if explain else [()] * len(ranked.ids)
    return [
        TrackHit(
            track=names[track_id][0],
            artist=names[track_id][1],
            similarity=float(cosines[0]) if len(weights) == 1 else score,
            score=score,
            cosines=_by_instrument(weights, asked.voices, cosines),
            path=names[track_id][2],
            track_id=track_id,
            explanation=explanation,
        )
        for track_id, score, cosines, explanation in zip(
            ranked.ids.tolist(), ranked.scores.tolist(), ranked.cosines, explanations, strict=True
        )
    ]


def _understood(
    catalog: Catalog, query: str | Path, by: Mapping[str, float] | str, k: int, model: str
) -> tuple[dict[str, float], Query]:
    weights = parse_by(by) if isinstance(by, str) else check_by(by)
    if k < 1:
        raise BadRequest(f"k is 1 or more, not {k}")
    spaces = [space_of(instrument) for instrument in weights]
    return weights, find_query(catalog, query, spaces, model)


def _ask(catalog: Catalog, con: duckdb.DuckDBPyConnection, query: Query, weights: Mapping[str, float]) -> _Asked:
    """Open the spaces of a question.

    Raises
    ------
    NothingToCompare
        Where the query lacks a positively weighted instrument; a negatively weighted one is then left out,
        because it adds nothing to any score.
    """
    links = _read_links(con)
    voices = []
    for instrument, weight in weights.items():
        space = space_of(instrument)
        shelf = open_shelf(catalog, con, space)
        vector = _query_vector(con, query, links, space, shelf)
        if vector is not None:
            voices.append(Voice(instrument, space, weight, shelf, chance_of(shelf), vector))
        elif weight > 0:
            raise lacking(con, query, space, instrument)
    return _Asked(query, links, voices)


def _read_links(con: duckdb.DuckDBPyConnection) -> Links:
    rows = con.execute(
        "SELECT ta.track_id, ta.artist_id, t.duration_s"
        " FROM track_artists AS ta JOIN tracks AS t USING (track_id)"
        " WHERE ta.role = 'artist' ORDER BY ta.artist_id, ta.track_id"
    ).fetchnumpy()
    track_ids, artist_ids, durations_s = (np.asarray(column) for column in rows.values())
    # A track of no length would have no say; such files hardly exist, but a weight of zero must not.
    return Links(track_ids.astype(np.int64), artist_ids.astype(np.int64), np.maximum(durations_s.astype(float), 1e-3))


def _own_tracks(query: Query, links: Links) -> tuple[Ids, Matrix]:
    """Return the tracks that a query is made of, with their weights; none for a file outside the catalog."""
    if query.artist_id is not None:
        return links.of_artist(query.artist_id)
    own = [] if query.track_id is None else [query.track_id]
    return np.array(own, np.int64), np.ones(len(own))


def _query_vector(
    con: duckdb.DuckDBPyConnection, query: Query, links: Links, space: str, shelf: Shelf
) -> Matrix | None:
    """Return the query's unit vector in a space, None where it has none."""
    if query.heard is not None:
        descriptor = query.heard.descriptors.get(space)
        return None if descriptor is None else unit(transform_in(con, space).apply(descriptor[None])[0].astype(float))
    track_ids, weights = _own_tracks(query, links)
    here = np.isin(track_ids, shelf.ids)
    return unit(weights[here] @ shelf.rows(track_ids[here])) if here.any() else None


def _named(con: duckdb.DuckDBPyConnection, sql: str, ids: Ids) -> dict[int, tuple[str, ...]]:
    rows = con.execute(f"{sql} IN (SELECT unnest(?::BIGINT[]))", [ids.tolist()]).fetchall()
    return {row[0]: row[1:] for row in rows}


def _by_instrument(weights: Mapping[str, float], voices: list[Voice], cosines: Matrix) -> dict[str, float | None]:
    """Return the cosine of each instrument that was asked for, None where one side lacks it."""
    found = {voice.instrument: cosine for voice, cosine in zip(voices, cosines.tolist(), strict=True)}
    known = {instrument: found.get(instrument, np.nan) for instrument in weights}
    return {instrument: None if np.isnan(cosine) else cosine for instrument, cosine in known.items()}


def _explained(
    con: duckdb.DuckDBPyConnection, asked: _Asked, ranked: Ranked, tracks: list[tuple[Ids, Matrix]]
) -> list[tuple[Contribution, ...]]:
    """Explain every hit, largest contribution first."""
    from mir.similarity.explain import Parts, explain_voice

    own, heard = _own_tracks(asked.query, asked.links), asked.query.heard
    hits = [Parts(track_ids, weights) for track_ids, weights in tracks]
    found: list[list[Contribution]] = [[] for _ in hits]
    for column, voice in enumerate(asked.voices):
        query = Parts(*own)
        if heard is not None:
            query = Parts(*own, heard.descriptors[voice.space], heard.values[voice.space])
        transform = transform_in(con, voice.space)
        parts = explain_voice(con, voice, transform, query, hits, ranked.cosines[:, column])
        for contributions, more in zip(found, parts, strict=True):
            contributions += more
    return [tuple(sorted(each, key=lambda one: -one.contribution)) for each in found]
