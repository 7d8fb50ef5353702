"""From a question to its answers: find what is meant, compare, name the hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mir.errors import BadRequest
from mir.similarity.artists import ArtistsBy, way
from mir.similarity.asking import Asked, Asking, ask, find_seeds, weights_of
from mir.similarity.diversity import artist_likeness, pool_size, spread, track_likeness
from mir.similarity.filters import Filters
from mir.similarity.hits import ArtistHit, Contribution, TrackHit
from mir.similarity.links import Ids, Matrix
from mir.similarity.query import DEFAULT_MODEL
from mir.similarity.ranking import Ranked, Voice, rank_artists, rank_tracks
from mir.spaces import transform_in

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog


def similar_artists(
    catalog: Catalog,
    query: Asking,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    filters: Filters | None = None,
    diversity: float = 0.0,
    artists_by: ArtistsBy = "centroid",
    explain: bool = False,
    model: str = DEFAULT_MODEL,
) -> list[ArtistHit]:
    """Return the artists who sound most like the query, best first.

    The query's own artists, artists who lack a positively weighted instrument, and names such as "Various
    Artists" are no answers.

    Parameters
    ----------
    catalog
        Where to look.
    query
        Artist, track (title, ``Artist - Title`` or path), or an audio file outside the catalog; or several,
        whose standardised similarities are averaged in each space, every one counting the same.
    by
        Weight by instrument, or as written: ``vocals=0.7,drums=0.3``. At least one is positive.
    k
        How many.
    filters
        Which tracks may answer; an artist is compared by these alone.
    diversity
        From 0 (the most similar) to 1: how much the answers shall differ among themselves, see
        `mir.similarity.diversity.spread`. They then come in the order in which they were chosen.
    artists_by
        How sets of tracks are compared: ``centroid``, ``medoid`` or ``chamfer``, see
        `mir.similarity.artists.artist_similarities`.
    explain
        Whether each hit tells which named features make up its score.
    model
        Separation model for a file outside the catalog.

    Raises
    ------
    BadRequest
        Where an instrument is unknown, no weight is positive, or another argument is out of its range.
    NotInCatalog
        Where the query is nothing that we know, or the filters let nothing pass.
    NothingToCompare
        Where the query lacks an instrument.
    IndexDamaged, IndexIncompatible
        Where an index cannot answer.
    """
    way(artists_by)
    weights, wanted = _checked(by, k, diversity)
    seeds = find_seeds(catalog, query, weights, model)
    with catalog.read() as con:
        asked = ask(catalog, con, seeds, weights, filters)
        links = asked.answering()
        pool = rank_artists(asked.voices, links, asked.artists_left_out(), wanted, artists_by)
        likeness = artist_likeness(asked.voices, links, pool.ids, artists_by)
        ranked = pool.take(spread(pool.scores, likeness, k, diversity))
        tracks = [links.of_artist(artist_id) for artist_id in ranked.ids.tolist()]
        names = _named(con, "SELECT artist_id, artist FROM artists WHERE artist_id", ranked.ids)
        explanations = _explained(con, asked, ranked, tracks, artists_by) if explain else [()] * len(ranked.ids)
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
    query: Asking,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    filters: Filters | None = None,
    diversity: float = 0.0,
    per_artist: int | None = None,
    explain: bool = False,
    model: str = DEFAULT_MODEL,
) -> list[TrackHit]:
    """Return the tracks that sound most like the query, best first.

    Parameters and errors are those of `similar_artists`; a seed artist is the mean direction of their tracks,
    weighted by duration. The seeds themselves, and all tracks of seed artists, are no answers; with several
    seeds, neither are other tracks by the artists of seed tracks.

    Parameters
    ----------
    per_artist
        At most so many tracks by one artist; the best of each. Tracks of unknown artists are not one artist's.
    """
    weights, wanted = _checked(by, k, diversity)
    if per_artist is not None and per_artist < 1:
        raise BadRequest(f"per_artist is 1 or more, not {per_artist}")
    seeds = find_seeds(catalog, query, weights, model)
    with catalog.read() as con:
        asked = ask(catalog, con, seeds, weights, filters)
        pool = _best_tracks(asked, wanted, per_artist)
        ranked = pool.take(spread(pool.scores, track_likeness(asked.voices, pool.ids), k, diversity))
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


def _checked(by: Mapping[str, float] | str, k: int, diversity: float) -> tuple[dict[str, float], int]:
    """Return the weights, and how many of the best are to choose from."""
    if k < 1:
        raise BadRequest(f"k is 1 or more, not {k}")
    return weights_of(by), pool_size(k, diversity)


def _best_tracks(asked: Asked, n: int, per_artist: int | None) -> Ranked:
    """Rank deep enough for `n` tracks of which no artist has more than `per_artist`."""
    exclude, depth = asked.tracks_left_out(), n
    while True:
        ranked = rank_tracks(asked.voices, exclude, depth, asked.allowed)
        if per_artist is None:
            return ranked
        kept = asked.links.at_most(ranked.ids, per_artist)
        if len(kept) >= n or len(ranked.ids) < depth:
            return ranked.take(kept[:n])
        depth *= 4


def _named(con: duckdb.DuckDBPyConnection, sql: str, ids: Ids) -> dict[int, tuple[str, ...]]:
    rows = con.execute(f"{sql} IN (SELECT unnest(?::BIGINT[]))", [ids.tolist()]).fetchall()
    return {row[0]: row[1:] for row in rows}


def _by_instrument(weights: Mapping[str, float], voices: list[Voice], cosines: Matrix) -> dict[str, float | None]:
    """Return the cosine of each instrument that was asked for, None where one side lacks it."""
    found = {voice.instrument: cosine for voice, cosine in zip(voices, cosines.tolist(), strict=True)}
    known = {instrument: found.get(instrument, np.nan) for instrument in weights}
    return {instrument: None if np.isnan(cosine) else cosine for instrument, cosine in known.items()}


def _explained(
    con: duckdb.DuckDBPyConnection,
    asked: Asked,
    ranked: Ranked,
    tracks: list[tuple[Ids, Matrix]],
    how: ArtistsBy = "centroid",
) -> list[tuple[Contribution, ...]]:
    """Explain every hit, largest contribution first."""
    from mir.similarity.explain import Parts, explain_voice

    hits = [Parts(track_ids, durations_s) for track_ids, durations_s in tracks]
    found: list[list[Contribution]] = [[] for _ in hits]
    for column, voice in enumerate(asked.voices):
        transform = transform_in(con, voice.space)
        parts = explain_voice(con, voice, transform, hits, ranked.cosines[:, column], how)
        for contributions, more in zip(found, parts, strict=True):
            contributions += more
    return [tuple(sorted(each, key=lambda one: -one.contribution)) for each in found]
