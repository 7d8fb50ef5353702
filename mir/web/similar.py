"""The questions of the page, answered from memory: every vector looked at, the best scored as everywhere else.

A first look scores all tracks (or artists, by their mean directions) in single precision; the best of it, with
some to spare, are ranked by `mir.similarity.ranking` in full. What comes out is what `mir similar` answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mir.errors import NothingToCompare
from mir.indexing import MemoryShelf
from mir.similarity.hits import ArtistHit, Contribution, TrackHit
from mir.similarity.links import Ids, Matrix
from mir.similarity.query import Query
from mir.similarity.ranking import Ranked, Seed, Voice, rank_artists, rank_tracks
from mir.similarity.weights import check_by
from mir.spaces import SpaceVectors
from mir.web.library import Aligned, Library, Space, place

if TYPE_CHECKING:
    from mir.catalog import Catalog

Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

_SPARE: Final = 64
"""More than asked for are ranked in full: single precision may put neighbours the wrong way round."""


def voices_of(library: Library, seed: Query, weights: Mapping[str, float]) -> list[Voice]:
    """Return what is compared, by instrument.

    Raises
    ------
    BadRequest
        Where an instrument is unknown or no weight is positive.
    NothingToCompare
        Where the seed has nothing of a positively weighted instrument.
    """
    found = []
    for instrument, weight in check_by(weights).items():
        space = library.spaces[instrument]
        rows = _seed(library, seed, space)
        if rows is not None:
            found.append(Voice(instrument, space.space, weight, MemoryShelf(space.vectors), space.chance, (rows,)))
        elif weight > 0:
            raise NothingToCompare(
                f"{seed.kind} {seed.label!r} has no {instrument} to compare; give {instrument} the weight 0"
            )
    return found


def similar_artists(
    library: Library, seed: Query, weights: Mapping[str, float], k: int, allowed: Ids | None = None
) -> list[ArtistHit]:
    """Return the artists most like the seed, best first; of `allowed` tracks alone where these are given.

    Raises
    ------
    BadRequest, NothingToCompare
        As `voices_of`.
    """
    voices = voices_of(library, seed, weights)
    exclude = _own_artists(library, seed)
    if allowed is None:
        tables = [library.spaces[voice.instrument].artists for voice in voices]
        best = library.artist_ids[_first_look(voices, tables, place(library.artist_ids, exclude), k)]
        links = library.links.of_artists(best)
    else:
        links = library.links.only(allowed)
    some = [_only(library, voice, np.unique(links.track_ids)) for voice in voices]
    ranked = rank_artists(some, links, exclude, k)
    return [
        ArtistHit(
            artist=library.artists[artist_id].artist,
            similarity=_shown(score, cosines),
            score=score,
            cosines=cosines,
            tracks=len(links.of_artist(artist_id)[0]),
            artist_id=artist_id,
        )
        for artist_id, score, cosines in _listed(ranked, voices)
    ]


def similar_tracks(
    library: Library, seed: Query, weights: Mapping[str, float], k: int, allowed: Ids | None = None
) -> list[TrackHit]:
    """Return the tracks most like the seed, best first; as `similar_artists`.

    A track asks for tracks like it, whoever made them; an artist for tracks of others.
    """
    voices = voices_of(library, seed, weights)
    exclude = np.array([] if seed.track_id is None else [seed.track_id], np.int64)
    if seed.artist_id is not None:
        exclude = np.union1d(exclude, library.links.of_artist(seed.artist_id)[0])
    tables = [library.spaces[voice.instrument].tracks for voice in voices]
    passing = None
    if allowed is not None:
        at, there = place(library.track_ids, allowed)
        passing = np.zeros(len(library.track_ids), np.bool_)
        passing[at[there]] = True
    best = library.track_ids[_first_look(voices, tables, place(library.track_ids, exclude), k, passing)]
    some = [_only(library, voice, np.sort(best)) for voice in voices]
    ranked = rank_tracks(some, exclude, k)
    return [
        TrackHit(
            track=library.tracks[track_id].title,
            artist=library.tracks[track_id].artist,
            similarity=_shown(score, cosines),
            score=score,
            cosines=cosines,
            path=library.tracks[track_id].path,
            track_id=track_id,
        )
        for track_id, score, cosines in _listed(ranked, voices)
    ]


def why(
    catalog: Catalog, library: Library, seed: Query, weights: Mapping[str, float], hit: Query
) -> list[Contribution]:
    """Return what makes a seed and a hit alike, largest contribution first.

    Raises
    ------
    BadRequest, NothingToCompare
        As `voices_of`, and where the hit has nothing that was asked for.
    """
    from mir.similarity.explain import Parts, explain_voice

    voices = voices_of(library, seed, weights)
    parts = Parts(*_own_tracks(library, hit))
    found: list[Contribution] = []
    with catalog.read() as con:
        for voice in voices:
            space = library.spaces[voice.instrument]
            there = _seed(library, hit, space)
            if there is None:
                continue
            cosine = np.array([float(voice.query() @ there.vector())])
            found += explain_voice(con, voice, space.transform, [parts], cosine)[0]
    if not found:
        raise NothingToCompare(f"{hit.kind} {hit.label!r} has nothing of what was asked for")
    return sorted(found, key=lambda one: -one.contribution)


def _seed(library: Library, query: Query, space: Space) -> Seed | None:
    """Return what a query is in a space, None where it is nothing."""
    if query.heard is not None:
        descriptor = query.heard.descriptors.get(space.space)
        if descriptor is None:
            return None
        rows = space.transform.apply(descriptor[None]).astype(np.float64)
        return Seed(np.empty(0, np.int64), rows, np.ones(1), descriptor, query.heard.values[space.space])
    track_ids, durations_s = _own_tracks(library, query)
    at, here = place(space.vectors.track_ids, track_ids)
    if not here.any():
        return None
    return Seed(track_ids[here], space.vectors.matrix[at[here]].astype(np.float64), durations_s[here])


def _own_tracks(library: Library, query: Query) -> tuple[Ids, Matrix]:
    if query.artist_id is not None:
        return library.links.of_artist(query.artist_id)
    return np.array([query.track_id], np.int64), np.ones(1)


def _own_artists(library: Library, seed: Query) -> Ids:
    if seed.artist_id is not None:
        return np.array([seed.artist_id], np.int64)
    return np.empty(0, np.int64) if seed.track_id is None else np.unique(library.links.of_track(seed.track_id))


def _first_look(
    voices: Sequence[Voice],
    tables: Sequence[Aligned],
    left_out: tuple[Places, Mask],
    k: int,
    passing: Mask | None = None,
) -> Places:
    """Return the places of the best, some more than `k`, in no order."""
    scores = np.zeros(len(tables[0].here), np.float32)
    able = np.ones(len(scores), np.bool_) if passing is None else passing.copy()
    for voice, table in zip(voices, tables, strict=True):
        none, whole = voice.points(np.array([0.0, 1.0]))  # a straight line: worked into the query, it costs nothing
        scores += table.matrix @ ((whole - none) * voice.query()).astype(np.float32)
        scores += np.float32(none) * table.here
        if voice.weight > 0:
            able &= table.here
    at, there = left_out
    able[at[there]] = False
    scores[~able] = -np.inf
    n = min(k + _SPARE, int(able.sum()))
    return np.argpartition(-scores, n - 1)[:n] if n else np.empty(0, np.intp)


def _only(library: Library, voice: Voice, track_ids: Ids) -> Voice:
    """Return a voice that knows some tracks alone; what is usual stays that of all."""
    vectors = library.spaces[voice.instrument].vectors
    at, here = place(vectors.track_ids, track_ids)
    return replace(voice, shelf=MemoryShelf(SpaceVectors(track_ids[here], vectors.matrix[at[here]])))


def _listed(ranked: Ranked, voices: Sequence[Voice]) -> list[tuple[int, float, dict[str, float | None]]]:
    """Return ids, scores and the cosine by instrument, None where the hit lacks it."""
    names = [voice.instrument for voice in voices]
    return [
        (
            one,
            score,
            {name: None if np.isnan(cosine) else float(cosine) for name, cosine in zip(names, row, strict=True)},
        )
        for one, score, row in zip(ranked.ids.tolist(), ranked.scores.tolist(), ranked.cosines, strict=True)
    ]


def _shown(score: float, cosines: Mapping[str, float | None]) -> float:
    """Return the similarity as `mir similar` gives it: of one instrument its cosine, of several the score."""
    (first, *more) = cosines.values()
    return score if more or first is None else first
