"""Who in a library is alike, who is like nobody else, and which tracks are unlike everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mir.indexing import Shelf, open_shelf
from mir.similarity.artists import represent
from mir.similarity.links import Ids, Links, Matrix, read_links
from mir.similarity.ranking import artist_rows
from mir.spaces import space_of

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

SHOWN: Final = 8
"""Pairs, artists and tracks that are named, by each instrument."""

SAMPLE: Final = 2000
"""Tracks that every track is compared with, to see which are unlike everything; all where there are no more."""

NEIGHBOURS: Final = 5
"""A track's likeness to everything is the mean cosine to so many nearest ones."""

FEWEST: Final = 10
"""With fewer tracks than this of an instrument, none is called unlike the others."""

_BLOCK: Final = 512
_SEED: Final = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two artists, and the cosine of their centroids."""

    artist: str
    other: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Distinct:
    """An artist of several tracks: mean cosine among their own, and to those of the artist who comes nearest."""

    artist: str
    tracks: int
    own: float
    nearest: float
    nearest_artist: str


@dataclass(frozen=True, slots=True)
class Alone:
    """A track, and its mean cosine to the nearest others."""

    artist: str
    title: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Alike:
    """What is told by one instrument, the most striking first; `tracks` have it."""

    instrument: str
    tracks: int
    pairs: tuple[Pair, ...]
    distinct: tuple[Distinct, ...]
    alone: tuple[Alone, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def alike(catalog: Catalog, instrument: str) -> Alike:
    """Compare all artists, and all tracks, by one instrument.

    Pairs of artists who play together on a track are left out: there they are alike because they are the same.
    An artist is distinct by how much larger the mean cosine among their own tracks is than that to the tracks of the
    nearest other artist (the idea of the silhouette: P. J. Rousseeuw, "Silhouettes: a graphical aid to the
    interpretation and validation of cluster analysis", 1987).
    """
    with catalog.read() as con:
        links = read_links(con)
        shelf = open_shelf(catalog, con, space_of(instrument))
        together = _together(links)
        pairs, distinct = _artists(shelf, links, together)
        alone = _alone(shelf)
        named = _Names(con, {one for row in (*pairs, *[row[:2] for row in distinct]) for one in row[:2]}, alone)
    return Alike(
        instrument,
        len(shelf.ids),
        tuple(Pair(named.artists[a], named.artists[b], cosine) for a, b, cosine in pairs),
        tuple(
            Distinct(named.artists[artist], tracks, own, nearest, named.artists[other])
            for artist, other, tracks, own, nearest in distinct
        ),
        tuple(Alone(*named.tracks[track_id], cosine) for track_id, cosine in alone),
    )


class _Names:
    """Names of artists and tracks by id."""

    def __init__(self, con: duckdb.DuckDBPyConnection, artists: set[Any], tracks: list[tuple[int, float]]) -> None:
        self.artists: dict[int, str] = dict(
            con.execute(
                "SELECT artist_id, artist FROM artists WHERE artist_id IN (SELECT unnest(?::BIGINT[]))",
                [[int(one) for one in artists]],
            ).fetchall()
        )
        rows = con.execute(
            "SELECT track_id, artist, title FROM tracks WHERE track_id IN (SELECT unnest(?::BIGINT[]))",
            [[track_id for track_id, _ in tracks]],
        ).fetchall()
        self.tracks: dict[int, tuple[str, str]] = {track_id: (artist, title) for track_id, artist, title in rows}


def _together(links: Links) -> set[tuple[int, int]]:
    """Return the pairs of artists who share a track, both ways round."""
    order = np.argsort(links.track_ids, kind="stable")
    tracks, artists = links.track_ids[order], links.artist_ids[order]
    starts = np.flatnonzero(np.r_[True, tracks[1:] != tracks[:-1]]) if len(tracks) else np.empty(0, int)
    found: set[tuple[int, int]] = set()
    for group in np.split(artists, starts[1:]):
        people = group.tolist()
        found |= {(a, b) for a in people for b in people if a != b}
    return found


def _artists(
    shelf: Shelf, links: Links, together: set[tuple[int, int]]
) -> tuple[list[tuple[int, int, float]], list[tuple[int, int, int, float, float]]]:
    """Return the most similar pairs, and the most distinct artists with whom they are nearest to."""
    ids, starts, rows, durations_s = artist_rows(shelf, links)
    if len(ids) < 2:
        return [], []
    counts = np.diff(starts, append=len(rows))
    sums = np.add.reduceat(rows, starts, axis=0)
    means = sums / counts[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        own = (np.einsum("ij,ij->i", sums, sums) - counts) / (counts * (counts - 1))
    pairs: list[tuple[int, int, float]] = []
    distinct: list[tuple[int, int, int, float, float]] = []
    places = {artist: place for place, artist in enumerate(ids.tolist())}
    barred = [(places[a], places[b]) for a, b in together if a in places and b in places]
    centroids = represent(rows, durations_s, starts, "centroid")
    for block, cosines in _blocks(centroids, centroids, barred):
        cosines[np.arange(len(ids))[None, :] <= np.arange(block.start, block.stop)[:, None]] = -np.inf
        best = np.argpartition(-cosines, min(SHOWN, cosines.size - 1), axis=None)[:SHOWN]
        for row, column in zip(*np.unravel_index(best, cosines.shape), strict=True):
            if np.isfinite(cosines[row, column]):
                pairs.append((int(ids[block.start + row]), int(ids[column]), float(cosines[row, column])))
    for block, cosines in _blocks(means, means, barred):
        nearest = np.argmax(cosines, axis=1)
        for row, other in enumerate(nearest.tolist()):
            place = block.start + row
            there = float(cosines[row, other])
            if counts[place] > 1 and np.isfinite(there) and own[place] > there:
                distinct.append((int(ids[place]), int(ids[other]), int(counts[place]), float(own[place]), there))
    pairs.sort(key=lambda pair: -pair[2])
    distinct.sort(key=lambda one: one[4] - one[3])
    return pairs[:SHOWN], distinct[:SHOWN]


def _blocks(rows: Matrix, others: Matrix, barred: list[tuple[int, int]]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give the cosines of some rows at a time to all; −∞ to themselves and where barred."""
    at = np.array(barred, np.intp).reshape(-1, 2)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        cosines = rows[block] @ others.T
        cosines[np.arange(block.stop - start), np.arange(start, block.stop)] = -np.inf
        here = at[(at[:, 0] >= start) & (at[:, 0] < block.stop)]
        cosines[here[:, 0] - start, here[:, 1]] = -np.inf
        yield block, cosines


def _alone(shelf: Shelf) -> list[tuple[int, float]]:
    """Return the tracks that are least like their nearest neighbours in the space."""
    ids: Ids = shelf.ids
    if len(ids) < FEWEST:
        return []
    sample = np.arange(len(ids))
    if len(ids) > SAMPLE:
        sample = np.sort(np.random.default_rng(_SEED).choice(len(ids), SAMPLE, replace=False))
    reference = shelf.rows(ids[sample])
    likeness = np.empty(len(ids))
    for start in range(0, len(ids), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(ids)))
        cosines = shelf.rows(ids[block]) @ reference.T
        cosines[np.arange(block.start, block.stop)[:, None] == sample[None, :]] = -np.inf
        likeness[block] = np.sort(np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:], axis=1).mean(axis=1)
    order = np.argsort(likeness, kind="stable")[:SHOWN]
    return [(int(ids[place]), float(likeness[place])) for place in order]
