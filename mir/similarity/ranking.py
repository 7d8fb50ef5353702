"""Scores and order: Σ wₛ·zₛ, always computed in full for whatever is ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mir.similarity.artists import ArtistsBy, chamfer, represent, unit
from mir.similarity.links import Ids, Links, Matrix

if TYPE_CHECKING:
    from mir.indexing import Shelf

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
class Seed:
    """What is asked with, in one space: an artist's tracks, one track, or a file outside the catalog.

    Parameters
    ----------
    track_ids
        Shape ``(n,)``; empty for a file.
    rows, durations_s
        Unit vectors, shape ``(n, d)``, and seconds, shape ``(n,)``; n = 1 for a track or a file.
    descriptor, values
        What was measured of a file.
    """

    track_ids: Ids
    rows: Matrix
    durations_s: Matrix
    descriptor: NDArray[np.float32] | None = None
    values: Mapping[str, float] | None = None

    def vector(self, how: ArtistsBy = "centroid") -> Matrix:
        """Return its unit vector by ``centroid`` or ``medoid``; shape ``(d,)``."""
        one: Matrix = represent(self.rows, self.durations_s, np.zeros(1, np.intp), how)[0]
        return one


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
    seeds
        What is asked with, one or more. Its similarity to anything is the mean over the seeds; as a z-value is
        linear in the cosine, the mean of z-values is the z-value of the mean cosine.
    """

    instrument: str
    space: str
    weight: float
    shelf: Shelf
    chance: Chance
    seeds: tuple[Seed, ...]

    def query(self, how: ArtistsBy = "centroid") -> Matrix:
        """Return the mean of the seeds' unit vectors, shape ``(d,)``; its length is at most one."""
        mean: Matrix = np.mean([seed.vector(how) for seed in self.seeds], axis=0)
        return mean

    def points(self, cosines: Matrix) -> Matrix:
        """Return what cosines add to the score: w·z; 0 where a cosine is NaN."""
        return np.nan_to_num(self.weight * (cosines - self.chance.mean) / self.chance.deviation, nan=0.0)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Ids and scores, best first, and the cosines behind them: ``(n, n_voices)``, NaN where lacking."""

    ids: Ids
    scores: Matrix
    cosines: Matrix

    def take(self, places: Sequence[int]) -> Ranked:
        """Return some of them, in another order."""
        at = np.asarray(places, np.intp)
        return Ranked(self.ids[at], self.scores[at], self.cosines[at])


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


def artist_cosines(voice: Voice, links: Links, how: ArtistsBy) -> tuple[Ids, Matrix]:
    """Return the artists of a space and how alike each is to the seeds, on average; shape ``(a,)`` each."""
    ids, starts, rows, durations_s = artist_rows(voice.shelf, links)
    if not len(ids):
        return ids, np.empty(0)
    if how == "chamfer":
        each = [chamfer(seed.rows, seed.durations_s, rows, durations_s, starts) for seed in voice.seeds]
        return ids, np.mean(each, axis=0)
    return ids, represent(rows, durations_s, starts, how) @ voice.query(how)


def artist_rows(shelf: Shelf, links: Links) -> tuple[Ids, NDArray[np.intp], Matrix, Matrix]:
    """Return artists, where the tracks of each begin, those tracks' vectors, and their seconds."""
    here = np.isin(links.track_ids, shelf.ids)
    ids, starts = np.unique(links.artist_ids[here], return_index=True)
    return ids, starts, shelf.rows(links.track_ids[here]), links.durations_s[here]


def rank_artists(voices: Sequence[Voice], links: Links, exclude: Ids, k: int, how: ArtistsBy = "centroid") -> Ranked:
    """Rank artists by their tracks in `links`, compared in one of `mir.similarity.artists`' ways."""
    tables = [artist_cosines(voice, links, how) for voice in voices]
    wanted = [ids for voice, (ids, _) in zip(voices, tables, strict=True) if voice.weight > 0]
    candidates = np.setdiff1d(_common(wanted), exclude)
    return _ranked(voices, candidates, [_lookup(ids, cosines, candidates) for ids, cosines in tables], k)


def rank_tracks(voices: Sequence[Voice], exclude: Ids, k: int, allowed: Ids | None = None) -> Ranked:
    """Rank tracks, of `allowed` alone where it is given.

    Candidates come from each space's own search among what may answer, deeper and deeper, until no other track can
    be better. What weighs several instruments is exact whatever the indexes are: then every vector that may answer is
    compared. One instrument alone is as exact as its index, which compares every one where few are allowed.

    References
    ----------
    R. Fagin, A. Lotem and M. Naor, "Optimal aggregation algorithms for middleware", Journal of Computer and
    System Sciences 66, 2003 (the threshold algorithm).
    """
    needed = np.setdiff1d(_common([voice.shelf.ids for voice in voices if voice.weight > 0]), exclude)
    most = max(len(voice.shelf.ids) for voice in voices)
    depth = max(_FIRST_DEPTH, 4 * (k + len(exclude)))
    if allowed is not None:
        needed = allowed = np.intersect1d(needed, allowed)
        most, depth = len(needed), max(_FIRST_DEPTH, 4 * k)
    if all(voice.shelf.whole for voice in voices):
        depth = most
    while True:
        seen, bound = _candidates(voices, max(1, min(depth, most)), allowed)
        ranked = _scored(voices, np.intersect1d(seen, needed), k)
        enough = len(ranked.ids) == k and ranked.scores[-1] >= bound
        if enough or depth >= most or bound == -np.inf:
            return ranked
        depth *= 4


def _scored(voices: Sequence[Voice], candidates: Ids, k: int) -> Ranked:
    """Score candidates in full, and keep the best."""
    return _ranked(voices, candidates, [_cosines(voice, candidates) for voice in voices], k)


def _candidates(voices: Sequence[Voice], depth: int, allowed: Ids | None) -> tuple[Ids, float]:
    """Return what the spaces' searches find, and a score that no track left out can exceed."""
    found, bound = [np.empty(0, np.int64)], 0.0
    for voice in voices:
        sign = 1.0 if voice.weight > 0 else -1.0
        query = voice.query()
        length = float(np.linalg.norm(query))
        ids, least = voice.shelf.nearest(sign * unit(query), depth, allowed=allowed, exhaustive=len(voices) > 1)
        found.append(ids)
        if np.isfinite(least):
            most = float(voice.points(np.array([sign * length * (least + _FLOAT32_ERROR)]))[0])
            bound += most if voice.weight > 0 else max(most, 0.0)
        elif voice.weight > 0:
            bound = -np.inf  # all that has the instrument was found
    return np.unique(np.concatenate(found)), bound


def _cosines(voice: Voice, ids: Ids) -> Matrix:
    here = np.isin(ids, voice.shelf.ids)
    cosines = np.full(len(ids), np.nan)
    if here.any():
        cosines[here] = voice.shelf.rows(ids[here]) @ voice.query()
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
