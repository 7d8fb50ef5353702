"""From tracks to artists: how alike two sets of tracks are, in one space.

A similarity of two artists is always Σᵢⱼ Wᵢⱼ cos(qᵢ, cⱼ) over the tracks of either side, and the ways differ in W
alone: that is what lets `mir.similarity.explain` take any of them apart exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mir.errors import BadRequest

Ids = NDArray[np.int64]
Matrix = NDArray[np.float64]
ArtistsBy = Literal["centroid", "medoid", "chamfer"]

WAYS: Final[tuple[ArtistsBy, ...]] = get_args(ArtistsBy)

TEMPERATURE: Final = 0.1
"""Of the soft Chamfer measure, in cosine: a track less alike by this has 1/e of the weight."""

_ZERO: Final = 1e-9
_BLOCK: Final = 2**21
"""Cosines that are held at a time."""


def artist_similarities(
    queries: ArrayLike,
    query_durations: ArrayLike,
    candidates: ArrayLike,
    durations: ArrayLike,
    artist_of: NDArray[np.int64],
    how: ArtistsBy = "centroid",
) -> tuple[Ids, Matrix]:
    """Compare one artist with many, by their tracks in one space.

    ``centroid``: cosine of the mean directions, tracks weighted by duration. ``medoid``: cosine of the most
    typical tracks; an artist's medoid has the largest duration-weighted mean cosine to all of the artist's
    tracks, which for unit vectors is the track nearest to the centroid. ``chamfer``: every track of either
    side is compared with its likes on the other side, softly (a softmax of cosine / 0.1, times duration), and
    the means over both sides, by duration, are averaged. With one track on either side all three are the
    plain cosine.

    Parameters
    ----------
    queries, query_durations
        The asking artist's tracks: shape ``(n, d)`` unit rows, and ``(n,)`` in seconds, positive; n ≥ 1.
    candidates, durations
        Everybody else's: shape ``(m, d)`` unit rows, and ``(m,)``.
    artist_of
        Shape ``(m,)``: whose each candidate is. A track of two artists is given twice.
    how
        ``centroid``, ``medoid`` or ``chamfer``.

    Returns
    -------
    tuple of array
        Artist ids, rising, shape ``(a,)``, and similarities in −1 … 1, shape ``(a,)``.

    Raises
    ------
    BadRequest
        Where there is no such way, or the shapes do not fit together.

    References
    ----------
    H. Fan, H. Su and L. Guibas, "A point set generation network for 3D object reconstruction from a single
    image", CVPR 2017 (the Chamfer distance); L. Kaufman and P. Rousseeuw, "Clustering by means of medoids",
    1987.

    Examples
    --------
    >>> candidates, artist_of = [[0, 1], [1, 0], [1, 0]], np.array([7, 7, 9])
    >>> ids, similarities = artist_similarities([[1, 0]], [60], candidates, [60, 60, 60], artist_of)
    >>> ids.tolist(), similarities.round(3).tolist()
    ([7, 9], [0.707, 1.0])
    """
    way(how)
    asked, asked_s = _checked(queries, query_durations)
    rows, rows_s = _checked(candidates, durations, asked.shape[1])
    if not len(asked) or np.shape(artist_of) != (len(rows),):
        raise BadRequest(
            f"{len(asked)} query tracks (1 or more are needed), {len(rows)} candidates and artists of shape "
            f"{np.shape(artist_of)}: one artist a candidate is needed"
        )
    order = np.argsort(artist_of, kind="stable")
    ids, starts = np.unique(artist_of[order], return_index=True)
    rows, rows_s = rows[order], rows_s[order]
    if not len(ids):
        return ids.astype(np.int64), np.empty(0)
    if how == "chamfer":
        return ids.astype(np.int64), chamfer(asked, asked_s, rows, rows_s, starts)
    one = represent(asked, asked_s, np.zeros(1, np.intp), how)[0]
    return ids.astype(np.int64), represent(rows, rows_s, starts, how) @ one


def way(name: str) -> ArtistsBy:
    """Return the way of comparing artists that is called so.

    Raises
    ------
    BadRequest
        Where there is none; the message has those that there are.
    """
    for known in WAYS:
        if name == known:
            return known
    raise BadRequest(f"artists are compared by {', '.join(WAYS)}, not by {name!r}")


def represent(rows: Matrix, durations: Matrix, starts: NDArray[np.intp], how: ArtistsBy) -> Matrix:
    """Return one unit vector an artist, by ``centroid`` or ``medoid``.

    Parameters
    ----------
    rows, durations
        Shapes ``(m, d)`` and ``(m,)``, an artist's tracks side by side.
    starts
        Shape ``(a,)``: where each artist's tracks begin.

    Returns
    -------
    Shape ``(a, d)``; a row of zeros where tracks cancel out.
    """
    centroids = unit(np.add.reduceat(rows * durations[:, None], starts, axis=0))
    if how == "centroid":
        return centroids
    counts = np.diff(starts, append=len(rows))
    near = np.einsum("ij,ij->i", rows, np.repeat(centroids, counts, axis=0))
    best = np.repeat(np.maximum.reduceat(near, starts), counts)
    # The first track of those that are equally near: lowest id, so that the answer is always the same.
    places = np.where(near >= best - _ZERO, np.arange(len(rows)), len(rows))
    return rows[np.minimum.reduceat(places, starts)]


def chamfer(queries: Matrix, query_s: Matrix, rows: Matrix, rows_s: Matrix, starts: NDArray[np.intp]) -> Matrix:
    """Return the soft Chamfer similarity of one set of tracks to each of many; shape ``(a,)``.

    Parameters as of `represent`, and of `artist_similarities`.
    """
    found = np.empty(len(starts))
    shares = query_s / query_s.sum()
    for first, last, block in _blocks(starts, len(rows), len(queries)):
        cosines = queries @ rows[block].T
        local = starts[first:last] - block.start
        weights = rows_s[block]
        there = _softly(cosines, weights, local)
        back = _softly(cosines.T, query_s, np.zeros(1, np.intp))[:, 0]
        total = np.add.reduceat(weights, local)
        found[first:last] = 0.5 * (shares @ there) + 0.5 * np.add.reduceat(weights * back, local) / total
    return found


def pair_weights(queries: Matrix, query_s: Matrix, rows: Matrix, rows_s: Matrix, how: ArtistsBy) -> Matrix:
    """Return W of two artists: their similarity is Σᵢⱼ Wᵢⱼ cos(qᵢ, cⱼ); shape ``(n, m)``.

    Parameters
    ----------
    queries, query_s, rows, rows_s
        Tracks and seconds of either side: shapes ``(n, d)``, ``(n,)``, ``(m, d)``, ``(m,)``.
    """
    if how == "chamfer":
        cosines = queries @ rows.T
        there = _attention(cosines, rows_s) * (query_s / query_s.sum())[:, None]
        back = _attention(cosines.T, query_s).T * (rows_s / rows_s.sum())[None, :]
        return np.asarray(0.5 * (there + back))
    return np.outer(_weights(queries, query_s, how), _weights(rows, rows_s, how))


def unit(vectors: Matrix) -> Matrix:
    """Shorten rows to length one; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(norms > _ZERO, vectors / np.where(norms > _ZERO, norms, 1.0), 0.0)


def _weights(rows: Matrix, durations: Matrix, how: ArtistsBy) -> Matrix:
    """Return what of each track makes up the artist's vector; shape ``(n,)``."""
    if how == "medoid":
        chosen = represent(rows, durations, np.zeros(1, np.intp), how)[0]
        weights = np.zeros(len(rows))
        weights[np.flatnonzero((rows == chosen).all(axis=1))[0]] = 1.0
        return weights
    length = float(np.linalg.norm(durations @ rows))
    return durations / length if length > _ZERO else np.zeros(len(rows))


def _attention(cosines: Matrix, durations: Matrix) -> Matrix:
    """Softmax along the last axis, times duration; rows sum to one."""
    scaled = cosines / TEMPERATURE
    weights = durations * np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _softly(cosines: Matrix, durations: Matrix, starts: NDArray[np.intp]) -> Matrix:
    """Mean cosine of each row to each group of columns, weighted by `_attention`; shape ``(n, groups)``."""
    counts = np.diff(starts, append=cosines.shape[1])
    highest = np.repeat(np.maximum.reduceat(cosines, starts, axis=1), counts, axis=1)
    weights = durations * np.exp((cosines - highest) / TEMPERATURE)
    sums: Matrix = np.add.reduceat(weights * cosines, starts, axis=1) / np.add.reduceat(weights, starts, axis=1)
    return sums


def _blocks(starts: NDArray[np.intp], n: int, queries: int) -> Iterator[tuple[int, int, slice]]:
    """Cut artists into runs of few enough tracks: first and last artist, and their rows."""
    size = max(_BLOCK // max(queries, 1), 1)
    ends = np.append(starts[1:], n)
    first = 0
    while first < len(starts):
        last = max(int(np.searchsorted(ends, starts[first] + size, side="right")), first + 1)
        yield first, last, slice(int(starts[first]), int(ends[last - 1]))
        first = last


def _checked(rows: ArrayLike, durations: ArrayLike, size: int | None = None) -> tuple[Matrix, Matrix]:
    matrix, seconds = np.asarray(rows, dtype=np.float64), np.asarray(durations, dtype=np.float64)
    if matrix.ndim != 2 or seconds.shape != matrix.shape[:1] or size not in (None, matrix.shape[1]):
        expected = "(n, d)" if size is None else f"(n, {size})"
        raise BadRequest(
            f"tracks of shape {expected} with (n,) durations are needed, not {matrix.shape} with {seconds.shape}"
        )
    if not (seconds > 0).all():
        raise BadRequest("durations are positive; give tracks of no length a millisecond")
    return matrix, seconds
