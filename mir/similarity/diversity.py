"""Answers that differ among themselves: maximal marginal relevance over the best ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mir.errors import BadRequest
from mir.similarity.artists import ArtistsBy, chamfer, represent
from mir.similarity.links import Ids, Links, Matrix
from mir.similarity.ranking import Voice, artist_rows

POOL: Final = 100
"""At least so many of the best are chosen from; ten times what is wanted where that is more."""

Likeness = Callable[[int], Matrix]
"""How alike the one at a place is to each one of the pool, in the score's unit; shape ``(n,)``."""


def pool_size(k: int, diversity: float) -> int:
    """Return how many of the best the answers are chosen from.

    Raises
    ------
    BadRequest
        Where `diversity` is not from 0 to 1.
    """
    if isinstance(diversity, bool) or not math.isfinite(diversity) or not 0 <= diversity <= 1:
        raise BadRequest(f"diversity goes from 0 (the most similar) to 1 (the most different), not {diversity}")
    return k if diversity == 0 else max(POOL, 10 * k)


def spread(scores: Matrix, likeness: Likeness, k: int, diversity: float) -> list[int]:
    """Choose `k` that are like the query and unlike each other; return their places, as chosen.

    The first is the best. Each next one has the largest (1 − λ)·score − λ·max over those chosen of their likeness
    to it; λ is `diversity`. Of equals the one with the better score comes first.

    Parameters
    ----------
    scores
        Of the pool, shape ``(n,)``, falling.
    likeness
        Among the pool, in the same unit.

    References
    ----------
    J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
    producing summaries", SIGIR 1998.
    """
    if diversity == 0 or not len(scores):
        return list(range(min(k, len(scores))))
    chosen = [0]
    nearest = np.full(len(scores), -np.inf)
    while len(chosen) < min(k, len(scores)):
        nearest = np.maximum(nearest, likeness(chosen[-1]))
        marginal = (1 - diversity) * scores - diversity * nearest
        marginal[chosen] = -np.inf
        chosen.append(int(np.argmax(marginal)))
    return chosen


def track_likeness(voices: Sequence[Voice], ids: Ids) -> Likeness:
    """Compare tracks with each other by the positively weighted instruments, which all of them have."""
    tables = [(voice, voice.shelf.rows(ids)) for voice in voices if voice.weight > 0]

    def likeness(place: int) -> Matrix:
        return np.sum([voice.points(rows @ rows[place]) for voice, rows in tables], axis=0)

    return likeness


def artist_likeness(voices: Sequence[Voice], links: Links, ids: Ids, how: ArtistsBy) -> Likeness:
    """Compare artists with each other as they are compared with the query, by positive weights alone."""
    pool = links.of_artists(ids)
    compared = [_artist_table(voice, pool, ids, how) for voice in voices if voice.weight > 0]

    def likeness(place: int) -> Matrix:
        return np.sum([each(place) for each in compared], axis=0)

    return likeness


def _artist_table(voice: Voice, pool: Links, ids: Ids, how: ArtistsBy) -> Likeness:
    """Compare the artists `ids` in one space; the tables behind it are in the order of rising ids."""
    rising, starts, rows, durations_s = artist_rows(voice.shelf, pool)
    at = np.searchsorted(rising, ids)
    if how != "chamfer":
        table = represent(rows, durations_s, starts, how)[at]
        return lambda place: voice.points(table @ table[place])
    ends = np.append(starts[1:], len(rows))

    def likeness(place: int) -> Matrix:
        own = slice(int(starts[at[place]]), int(ends[at[place]]))
        return voice.points(chamfer(rows[own], durations_s[own], rows, durations_s, starts)[at])

    return likeness
