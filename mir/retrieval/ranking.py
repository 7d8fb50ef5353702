"""Answering the queries of a library in one space: tracks by cosine, artists by each way of putting tracks together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mir.retrieval.queries import Query, Recording
from mir.retrieval.scores import MISSING, Scores, expected_precision, score_order
from mir.similarity.artists import ArtistsBy, artist_similarities

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]

Apply = Callable[[Matrix], NDArray[np.floating]]
"""Descriptors, shape ``(n, n_in)``, to unit vectors, shape ``(n, n_out)``."""

Fit = Callable[[Flags], Apply]
"""Makes a transform from the recordings that are flagged, shape ``(n,)``: all of *other* artists."""


def rank_tracks(descriptors: Matrix, queries: Sequence[Query], fit: Fit, *, asking: Matrix | None = None) -> Scores:
    """Rank all candidates of each query by cosine.

    Parameters
    ----------
    descriptors
        Shape ``(n, n_in)``; a row of NaN is a recording without one: it scores 0 as a query and is never found.
    queries
        As `make_queries` lists them.
    fit
        Called once an artist, with the recordings that its transform may see.
    asking
        Descriptors of the recordings as they ask, where those are other than what is searched: through an equaliser,
        say; shape ``(n, n_in)``.

    Returns
    -------
    Scores
        In the order of the queries.
    """
    there: Flags = np.asarray(np.isfinite(descriptors).all(axis=1))
    asked = descriptors if asking is None else asking
    embed = _Embedding(descriptors, there, fit)
    rows, chance = [MISSING] * len(queries), [0.0] * len(queries)
    for i, query in _by_artist(queries):
        n_relevant, candidates = len(query.relevant_places), query.candidates
        chance[i] = expected_precision(n_relevant, int(candidates.sum()))
        if not np.isfinite(asked[query.place]).all():
            continue
        vectors, apply = embed(query)
        one = apply(asked[query.place][None])[0]
        places = np.flatnonzero(candidates & there)
        order = places[np.argsort(-(vectors[places] @ one), kind="stable")]
        rows[i] = score_order(query.relevant[order], n_relevant)
    return Scores.collect([query.artist for query in queries], rows, chance)


def rank_artists(
    descriptors: Matrix, recordings: Sequence[Recording], queries: Sequence[Query], fit: Fit, how: ArtistsBy
) -> Scores:
    """Rank artists for each query track: its own, made up of the tracks that the query should find, among all others.

    One artist is right, so that average precision is one over its place. Parameters as of `rank_tracks`; `how` is how
    an artist's tracks are put together.
    """
    there: Flags = np.asarray(np.isfinite(descriptors).all(axis=1))
    embed = _Embedding(descriptors, there, fit)
    names = sorted({artist for recording in recordings for artist in recording.artists})
    number = {name: i for i, name in enumerate(names)}
    durations = np.maximum([recording.duration_s for recording in recordings], 1e-3)
    rows, chance = [MISSING] * len(queries), [0.0] * len(queries)
    for i, query in _by_artist(queries):
        right = number[query.artist]
        kin = query.kin
        pairs = [
            (place, number[artist])
            for place in np.flatnonzero(query.candidates).tolist()
            for artist in ([query.artist] if kin[place] else recordings[place].artists)
        ]
        chance[i] = expected_precision(1, len({artist for _, artist in pairs}))
        if not there[query.place]:
            continue
        places, artists = np.array([pair for pair in pairs if there[pair[0]]], dtype=np.int64).reshape(-1, 2).T
        vectors, _ = embed(query)
        ids, similarities = artist_similarities(
            vectors[query.place][None], durations[[query.place]], vectors[places], durations[places], artists, how
        )
        rows[i] = score_order(ids[np.argsort(-similarities, kind="stable")] == right, 1)
    return Scores.collect([query.artist for query in queries], rows, chance)


def _by_artist(queries: Sequence[Query]) -> list[tuple[int, Query]]:
    """Queries that share a transform one after another, with their place in the list."""
    return sorted(enumerate(queries), key=lambda pair: (pair[1].kin_places, pair[0]))


class _Embedding:
    """Vectors of all recordings by the transform of a query's artist; kept until a query of another artist comes."""

    def __init__(self, descriptors: Matrix, there: Flags, fit: Fit) -> None:
        self._filled = np.where(there[:, None], descriptors, 0.0)
        self._there = there
        self._fit = fit
        self._key: tuple[int, ...] = ()
        self._made: tuple[NDArray[np.floating], Apply] | None = None

    def __call__(self, query: Query) -> tuple[NDArray[np.floating], Apply]:
        """Return the vectors, shape ``(n, n_out)``, and what made them."""
        if self._made is None or query.kin_places != self._key:
            apply = self._fit(self._there & ~query.kin)
            self._key, self._made = query.kin_places, (apply(self._filled), apply)
        return self._made
