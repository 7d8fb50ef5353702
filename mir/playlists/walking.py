"""A walk through the spaces: from one sound to another, a little further with every track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mir.errors import BadRequest, NotInCatalog
from mir.playlists.entries import Entry, find_files, read_entries
from mir.similarity.asking import Asked, ask, find_seeds, weights_of
from mir.similarity.filters import Filters
from mir.similarity.links import Ids, Matrix
from mir.similarity.query import DEFAULT_MODEL, Query
from mir.similarity.ranking import Voice

if TYPE_CHECKING:
    from mir.catalog import Catalog

Ends = str | Path | Query
"""An artist or a track, by name or path; or found before."""

ALL_COMPARED: Final = 50_000
"""Where more tracks than this could be on the way, those near each place on it are looked for instead."""

_ZERO: Final = 1e-9


def path(
    catalog: Catalog,
    start: Ends,
    end: Ends,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    filters: Filters | None = None,
    on_disk: bool = False,
) -> list[Entry]:
    """Walk from one artist or track to another through the spaces of some instruments.

    The way is the arc between the two directions in each space, and has a place for every track at equal angles.
    Tracks are assigned to the places in between so that the sum of their similarities (cosine in standard deviations
    of random pairs, by weight) is as large as can be, no track twice.

    Parameters
    ----------
    catalog
        Where to walk.
    start, end
        Where from and where to. An artist stands for the one track that is nearest to all of theirs.
    by
        Weight by instrument; the positive ones make the way.
    k
        Tracks, both ends among them; fewer where there are no more.
    filters
        Which tracks may lie between the ends.
    on_disk
        Whether tracks whose files are gone are passed by.

    Returns
    -------
    list of Entry
        From start to end; `score` is the similarity to the place on the way.

    Raises
    ------
    BadRequest
        Where k is under 2, both ends are the same, or an end is a file outside the catalog.
    NotInCatalog, NothingToCompare, IndexDamaged, IndexIncompatible
        As `mir.similarity.similar_tracks`; NotInCatalog also where an end's file is gone.

    References
    ----------
    H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2, 1955.
    """
    if k < 2:
        raise BadRequest(f"a walk has 2 tracks or more, its ends; not {k}")
    weights = {name: weight for name, weight in weights_of(by).items() if weight > 0}
    ends = [_end(catalog, one, weights) for one in (start, end)]
    with catalog.read() as con:
        first, last = (ask(catalog, con, (one,), weights, filters) for one in ends)
        gone: set[int] = set()
        while True:
            chosen = _walked(first, last, k, gone)
            entries = read_entries(con, chosen)
            if not on_disk:
                return [entries[track_id] for track_id in chosen]
            files = find_files(con, list(chosen))
            missing = set(chosen) - set(files)
            if not missing:
                return [replace(entries[track_id], path=files[track_id]) for track_id in chosen]
            gone |= missing


def walk_name(end: Ends) -> str:
    """Return what an end is called in a title."""
    return end.label if isinstance(end, Query) else Path(end).stem if isinstance(end, Path) else end


def _end(catalog: Catalog, end: Ends, weights: Mapping[str, float]) -> Query:
    found = end if isinstance(end, Query) else find_seeds(catalog, end, weights, DEFAULT_MODEL)[0]
    if found.kind == "file":
        raise BadRequest(f"{found.label} is not in the catalog, and a walk begins and ends there: mir ingest it first")
    return found


def _walked(first: Asked, last: Asked, k: int, gone: set[int]) -> dict[int, float]:
    """Return the tracks of the way and their scores, in order."""
    voices = list(zip(first.voices, last.voices, strict=True))
    common = _intersection([voice.shelf.ids for voice in first.voices])
    start, end = (_typical_track(asked, common, gone) for asked in (first, last))
    if start == end:
        raise BadRequest("the walk ends where it begins; give two different artists or tracks")
    allowed = common if first.allowed is None else np.intersect1d(common, first.allowed)
    out = [start, end, *gone, *first.links.tracks_by(first.strangers).tolist()]
    allowed = np.setdiff1d(allowed, np.array(out, np.int64))
    n = min(k - 2, len(allowed))
    places = [(voice, _arc(voice.query(), other.query(), n)) for voice, other in voices]
    pool = allowed if len(allowed) <= ALL_COMPARED else _near(places, allowed, n)
    scores = _scores(places, pool)
    between = dict(_assigned(scores, pool))
    ends = {one: _own_score(voices, one, side) for side, one in enumerate((start, end))}
    return {start: ends[start], **between, end: ends[end]}


def _typical_track(asked: Asked, common: Ids, gone: set[int]) -> int:
    """Return the track that an end stands for."""
    (query,) = asked.seeds
    own = [query.track_id] if query.artist_id is None else asked.links.of_artist(query.artist_id)[0].tolist()
    there = np.setdiff1d(np.intersect1d(np.array(own, np.int64), common), np.array(list(gone), np.int64))
    if not len(there):
        why = "its file is gone" if gone & set(own) else f"no track of it has {' and '.join(_names(asked))}"
        raise NotInCatalog(f"a walk cannot begin or end at {query.label!r}: {why}")
    scores = _scores([(voice, voice.query()[None]) for voice in asked.voices], there)[0]
    return int(there[np.argmax(scores)])


def _names(asked: Asked) -> list[str]:
    return [voice.instrument for voice in asked.voices]


def _intersection(lists: list[Ids]) -> Ids:
    common = lists[0]
    for ids in lists[1:]:
        common = np.intersect1d(common, ids)
    return common


def _arc(start: Matrix, end: Matrix, n: int) -> Matrix:
    """Return n unit vectors at equal angles between two directions, the ends not among them; shape ``(n, d)``."""
    a, b = (one / max(float(np.linalg.norm(one)), _ZERO) for one in (start, end))
    angle = float(np.arccos(np.clip(a @ b, -1.0, 1.0)))
    t = np.arange(1, n + 1)[:, None] / (n + 1)
    if np.sin(angle) < _ZERO:  # the same direction, or opposite ones, between which no arc is the shortest
        return np.asarray(np.where(t < 0.5, a, b))
    return np.asarray((np.sin((1.0 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle))


def _near(places: list[tuple[Voice, Matrix]], allowed: Ids, n: int) -> Ids:
    """Return the tracks that are near a place in one of the spaces; all where those are too few."""
    found = [voice.shelf.nearest(target, 8 * n + 64)[0] for voice, targets in places for target in targets]
    pool = np.intersect1d(np.concatenate(found), allowed) if found else allowed
    return pool if len(pool) >= n else allowed


def _scores(places: list[tuple[Voice, Matrix]], pool: Ids) -> Matrix:
    """Return how alike tracks are to places, shape ``(n_places, n_tracks)``."""
    parts = [voice.points(targets @ voice.shelf.rows(pool).T) for voice, targets in places]
    return np.asarray(np.sum(parts, axis=0))


def _own_score(voices: list[tuple[Voice, Voice]], track_id: int, side: int) -> float:
    targets = [(pair[side], pair[side].query()[None]) for pair in voices]
    return float(_scores(targets, np.array([track_id], np.int64))[0, 0])


def _assigned(scores: NDArray[np.float64], pool: Ids) -> list[tuple[int, float]]:
    """Give each place a track of its own, so that the sum of the scores is largest."""
    from scipy.optimize import linear_sum_assignment

    n = len(scores)
    if n == 0:
        return []
    # A place never needs a track beyond its n best: the other places cannot have taken them all.
    best = np.unique(np.argpartition(-scores, min(n, scores.shape[1]) - 1, axis=1)[:, :n])
    rows, columns = linear_sum_assignment(scores[:, best], maximize=True)
    return [
        (int(pool[best[column]]), float(scores[row, best[column]])) for row, column in zip(rows, columns, strict=True)
    ]
