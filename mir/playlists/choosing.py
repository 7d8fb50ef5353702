"""Which tracks come into a playlist: those most like what was given, or most typical of what filters keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mir.errors import BadRequest, NothingToCompare
from mir.indexing import open_shelf
from mir.playlists.entries import Entry, Missing, find_files, read_entries
from mir.similarity.asking import Asking
from mir.similarity.diversity import pool_size, spread, track_likeness
from mir.similarity.filters import Filters, allowed_tracks, left_out
from mir.similarity.links import Ids, read_links
from mir.similarity.ranking import Seed, Voice, chance_of, rank_tracks
from mir.similarity.search import similar_tracks
from mir.spaces import space_of

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

FIRST_ASKED: Final = 64
"""So many tracks are asked for at first where it is not known how many fill the time."""

Fetch = Callable[[int], dict[int, float]]
"""From how many to tracks and scores, best first; fewer where there are no more."""


def like(
    catalog: Catalog,
    asking: Asking,
    weights: Mapping[str, float],
    filters: Filters,
    diversity: float,
    per_artist: int | None,
    model: str,
) -> Fetch:
    """Choose what sounds most like artists, tracks or files; as `mir.similarity.similar_tracks`."""

    def fetch(k: int) -> dict[int, float]:
        hits = similar_tracks(
            catalog,
            asking,
            weights,
            k,
            filters=filters,
            diversity=diversity,
            per_artist=per_artist,
            model=model,
        )
        return {hit.track_id: hit.score for hit in hits}

    return fetch


def typical(
    catalog: Catalog, weights: Mapping[str, float], filters: Filters, diversity: float, per_artist: int | None
) -> Fetch:
    """Choose what is most typical of the tracks that filters keep: most like the mean direction of them all.

    Raises
    ------
    BadRequest
        Where there is no filter: the whole catalog has no sound of its own.
    NotInCatalog
        Where nothing passes.
    NothingToCompare
        Where no track that passes has the instruments.
    """
    with catalog.read() as con:
        allowed, strangers = allowed_tracks(con, filters), left_out(con, filters)
        if allowed is None:
            raise BadRequest("a playlist needs something to be like (--like), or a filter such as --genre house")
        links = read_links(con)
        allowed = np.setdiff1d(allowed, links.tracks_by(strangers))
        voices = [_mean_voice(catalog, con, instrument, weight, allowed) for instrument, weight in weights.items()]
        ranked = rank_tracks(voices, np.empty(0, np.int64), len(allowed), allowed)
        ranked = ranked if per_artist is None else ranked.take(links.at_most(ranked.ids, per_artist))

    def fetch(k: int) -> dict[int, float]:
        pool = ranked.take(range(min(pool_size(k, diversity), len(ranked.ids))))
        chosen = pool.take(spread(pool.scores, track_likeness(voices, pool.ids), k, diversity))
        return dict(zip(chosen.ids.tolist(), chosen.scores.tolist(), strict=True))

    return fetch


def _mean_voice(
    catalog: Catalog, con: duckdb.DuckDBPyConnection, instrument: str, weight: float, allowed: Ids
) -> Voice:
    """Return an instrument of a question that is asked with all of these tracks as with one artist's."""
    space = space_of(instrument)
    shelf = open_shelf(catalog, con, space)
    here = np.intersect1d(allowed, shelf.ids)
    if not len(here):
        raise NothingToCompare(f"none of the {len(allowed)} tracks that pass has {instrument} to compare; choose --by")
    seed = Seed(here, shelf.rows(here), np.ones(len(here)))
    return Voice(instrument, space, weight, shelf, chance_of(shelf), (seed,))


def fill(
    catalog: Catalog, fetch: Fetch, k: int | None, minutes: float | None, *, on_disk: bool
) -> tuple[list[Entry], list[Missing]]:
    """Take the best, up to a number or a time; what is gone from the disk makes room for the next one.

    Parameters
    ----------
    catalog, fetch
        Where the best come from.
    k
        At most so many; None: as many as there is time for.
    minutes
        At most so long together: the list ends before the track that would go beyond.
    on_disk
        Whether tracks whose files are gone are left out (and told).

    Raises
    ------
    BadRequest
        Where the first track alone is longer than the time.
    """
    depth = k or FIRST_ASKED
    while True:
        scores = fetch(depth)
        entries, missing = _there(catalog, scores, on_disk=on_disk)
        entries = entries if k is None else entries[:k]
        full = len(entries) == k
        if minutes is not None:
            ends_s = np.cumsum([entry.duration_s for entry in entries])
            fitting = int(np.searchsorted(ends_s, 60.0 * minutes, side="right"))
            if entries and not fitting:
                raise BadRequest(f"{entries[0].title!r} alone is longer than {minutes:g} minutes; give more time")
            full = full or fitting < len(entries)
            entries = entries[:fitting]
        if full or len(scores) < depth:
            return entries, missing
        depth *= 2


def _there(catalog: Catalog, scores: Mapping[int, float], *, on_disk: bool) -> tuple[list[Entry], list[Missing]]:
    """Return the tracks in order, each with a file that is there, and those that have none."""
    with catalog.read() as con:
        known = read_entries(con, dict(scores))
        files = find_files(con, list(scores)) if on_disk else {one.track_id: one.path for one in known.values()}
    ordered = [known[track_id] for track_id in scores if track_id in known]
    entries = [replace(one, path=files[one.track_id]) for one in ordered if one.track_id in files]
    return entries, [Missing(one.title, one.artist, one.path) for one in ordered if one.track_id not in files]
