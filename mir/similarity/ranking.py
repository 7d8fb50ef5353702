"""Scores and order: Σ wₛ·zₛ, always computed in full for whatever is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mir.indexing import Shelf

Ids = NDArray[np.int64]
Matrix = NDArray[np.float64]

PAIRS: Final = 20_000
"""Pairs of tracks that tell what is usual; all of them where there are fewer."""

_SEED: Final = 20_000
_ZERO: Final = 1e-9
_FLOAT32_ERROR: Final = 1e-5
_FIRST_DEPTH: Final = 128


@dataclass(frozen=True, slots=True)
class Chance:
    """Cosine of random pairs of different tracks.

    Parameters
    ----------
    first, second
        Places of the pairs among the space's tracks, shape ``(n_pairs,)`` each.
    mean, deviation
        Of their cosines; 0 and 1 where there are no two tracks to compare, deviation 1 where all are alike.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Voice:
    """One instrument of a question: where its vectors are, how much it weighs, what it is compared with.

    Parameters
    ----------
    instrument, space, weight
        As asked.
    shelf
        The space's vectors.
    chance
        What is usual there.
    query
        Unit vector, shape ``(d,)``.
    """

    instrument: str
    space: str
    weight: float
    shelf: Shelf
    chance: Chance
    query: Matrix

    def points(self, cosines: Matrix) -> Matrix:
        """Return what cosines add to the score: w·z; 0 where a cosine is NaN."""
        return np.nan_to_num(self.weight * (cosines - self.chance.mean) / self.chance.deviation, nan=0.0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Ids and scores, best first, and the cosines behind them: ``(n, n_voices)``, NaN where lacking."""

    ids: Ids
    scores: Matrix
    cosines: Matrix


@dataclass(frozen=True, slots=True)
class Links:
    """Who plays on what, ordered by artist: three arrays of shape ``(n,)``."""

    track_ids: Ids
    artist_ids: Ids
    durations_s: Matrix

    def of_artist(self, artist_id: int) -> tuple[Ids, Matrix]:
        """Return an artist's tracks, and how long each is in seconds."""
        here = self.artist_ids == artist_id
        return self.track_ids[here], self.durations_s[here]

    def of_track(self, track_id: int) -> Ids:
        """Return the artists of a track."""
        return self.artist_ids[self.track_ids == track_id]


def chance_of(shelf: Shelf) -> Chance:
    """Measure what is usual in a space on seeded random pairs of different tracks."""
    n = len(shelf.ids)
    if n * (n - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(n, 1)
    else:
        random = np.random.default_rng(_SEED)
        first = random.integers(0, n, PAIRS)
        second = (first + random.integers(1, n, PAIRS)) % n
    if not len(first):
        return Chance(first, second, 0.0, 1.0)
    used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    rows = shelf.rows(shelf.ids[used])
    cosines = np.einsum("ij,ij->i", rows[places[: len(first)]], rows[places[len(first) :]])
    deviation = float(cosines.std())
    return Chance(first, second, float(cosines.mean()), deviation if deviation > _ZERO else 1.0)


def unit(vector: Matrix) -> Matrix:
    """Shorten rows to length one; a row of zeros stays."""
    norms = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector / np.where(norms > _ZERO, norms, 1.0)


def centroids(shelf: Shelf, links: Links) -> tuple[Ids, Matrix]:
    """Return the artists of a space and the mean direction of each one's tracks, weighted by duration."""
    here = np.isin(links.track_ids, shelf.ids)
    track_ids, artist_ids, durations_s = (
        links.track_ids[here],
        links.artist_ids[here],
        links.durations_s[here],
    )
    found, starts = np.unique(artist_ids, return_index=True)
    if not len(found):
        return found, np.empty((0, 0))
    rows = shelf.rows(track_ids) * durations_s[:, None]
    return found, unit(np.add.reduceat(rows, starts, axis=0))


def rank_artists(voices: Sequence[Voice], links: Links, exclude: Ids, k: int) -> Ranked:
    """Rank artists by the centroids of their tracks."""
    tables = []
    for voice in voices:
        ids, matrix = centroids(voice.shelf, links)
        tables.append((ids, matrix @ voice.query if len(ids) else np.empty(0)))
    wanted = [ids for voice, (ids, _) in zip(voices, tables, strict=True) if voice.weight > 0]
    candidates = np.setdiff1d(_common(wanted), exclude)
    return _ranked(voices, candidates, [_lookup(ids, cosines, candidates) for ids, cosines in tables], k)


def rank_tracks(voices: Sequence[Voice], exclude: Ids, k: int) -> Ranked:
    """Rank tracks.

    Candidates come from each space's own search, deeper and deeper, until no other track can be better.

    References
    ----------
    R. Fagin, A. Lotem and M. Naor, "Optimal aggregation algorithms for middleware", Journal of Computer and
    System Sciences 66, 2003 (the threshold algorithm).
    """
    needed = _common([voice.shelf.ids for voice in voices if voice.weight > 0])
    most = max(len(voice.shelf.ids) for voice in voices)
    depth = most if all(voice.shelf.whole for voice in voices) else max(_FIRST_DEPTH, 4 * (k + len(exclude)))
    while True:
        seen, bound = _candidates(voices, min(depth, most))
        candidates = np.setdiff1d(np.intersect1d(seen, needed), exclude)
        tables = [_cosines(voice, candidates) for voice in voices]
        ranked = _ranked(voices, candidates, tables, k)
        enough = len(ranked.ids) == k and ranked.scores[-1] >= bound
        if enough or depth >= most or bound == -np.inf:
            return ranked
        depth *= 4


def _candidates(voices: Sequence[Voice], depth: int) -> tuple[Ids, float]:
    """Return what the spaces' searches find, and a score that no track left out can exceed."""
    found, bound = [np.empty(0, np.int64)], 0.0
    for voice in voices:
        sign = 1.0 if voice.weight > 0 else -1.0
        ids, least = voice.shelf.nearest(sign * voice.query, depth)
        found.append(ids)
        if np.isfinite(least):
            most = float(voice.points(np.array([sign * (least + _FLOAT32_ERROR)]))[0])
            bound += most if voice.weight > 0 else max(most, 0.0)
        elif voice.weight > 0:
            bound = -np.inf  # all that has the instrument was found
    return np.unique(np.concatenate(found)), bound


def _cosines(voice: Voice, ids: Ids) -> Matrix:
    here = np.isin(ids, voice.shelf.ids)
    cosines = np.full(len(ids), np.nan)
    if here.any():
        cosines[here] = voice.shelf.rows(ids[here]) @ voice.query
    return cosines


def _lookup(ids: Ids, cosines: Matrix, wanted: Ids) -> Matrix:
    found = np.full(len(wanted), np.nan)
    here = np.isin(wanted, ids)
    found[here] = cosines[np.searchsorted(ids, wanted[here])]
    return found


def _common(lists: Sequence[Ids]) -> Ids:
    common = lists[0]
    for ids in lists[1:]:
        common = np.intersect1d(common, ids)
    return common


def _ranked(voices: Sequence[Voice], ids: Ids, tables: Sequence[Matrix], k: int) -> Ranked:
    scores = np.zeros(len(ids))
    for voice, cosines in zip(voices, tables, strict=True):
        scores += voice.points(cosines)
    order = np.lexsort((ids, -scores))[:k]
    return Ranked(ids[order], scores[order], np.stack(tables, axis=1)[order])
