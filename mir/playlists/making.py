"""From a wish to a playlist: chosen, put in order, and how much smoother that made it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mir.errors import BadRequest
from mir.indexing import open_shelf
from mir.playlists.choosing import fill, like, typical
from mir.playlists.entries import Entry, Missing
from mir.playlists.flow import smooth
from mir.playlists.jumps import Jumps, distances
from mir.playlists.walking import Ends, path, walk_name
from mir.similarity.asking import Asking, weights_of
from mir.similarity.filters import Filters, shown
from mir.similarity.query import DEFAULT_MODEL
from mir.spaces import space_of

if TYPE_CHECKING:
    from mir.catalog import Catalog

Order = Literal["smooth", "similar", "tempo"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)

DEFAULT_K: Final = 25
SMOOTH_MOST: Final = 2000
"""More tracks than this are not put in smooth order: every two of them would be compared."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in order.

    Parameters
    ----------
    title
        What it is, in words.
    by
        Weight by instrument.
    order
        ``smooth``, ``similar``, ``tempo``; ``walk`` for a walk.
    entries
        The tracks.
    missing
        What was left out because its file is gone.
    jumps, unsorted
        From neighbour to neighbour: in this order, and in the order of similarity.
    """

    title: str
    by: Mapping[str, float]
    order: str
    entries: tuple[Entry, ...]
    missing: tuple[Missing, ...]
    jumps: Jumps
    unsorted: Jumps

    @property
    def duration_s(self) -> float:
        """Length of all tracks in seconds."""
        return sum(entry.duration_s for entry in self.entries)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "title": self.title,
            "by": dict(self.by),
            "order": self.order,
            "duration_s": self.duration_s,
            "tracks": [asdict(entry) for entry in self.entries],
            "missing": [asdict(one) for one in self.missing],
            "jumps": {
                self.order: asdict(self.jumps),
                **({"similar": asdict(self.unsorted)} if self.order in ORDERS else {}),
            },
        }


def make(
    catalog: Catalog,
    asking: Asking | None = None,
    by: Mapping[str, float] | str | None = None,
    k: int | None = None,
    *,
    minutes: float | None = None,
    order: str = "smooth",
    filters: Filters | None = None,
    diversity: float = 0.0,
    per_artist: int | None = None,
    model: str = DEFAULT_MODEL,
    on_disk: bool = False,
) -> Playlist:
    """Make a playlist of the tracks most like something, or most typical of what filters keep.

    Parameters
    ----------
    catalog
        Where the tracks are.
    asking
        Artists, tracks or audio files, as in `mir.similarity.similar_tracks`. None: what the filters keep is the
        wish, and its most typical tracks (nearest to the mean direction of all that pass) come first.
    by
        Weight by instrument; ``vocals`` where nothing is given, ``mix`` without `asking`.
    k, minutes
        At most so many, and at most so long; 25 tracks where neither is given.
    order
        ``smooth``: small jumps between neighbours (see `mir.playlists.jumps`), beginning with the best; ``similar``:
        best first; ``tempo``: slowest first, unknown tempi last.
    filters, diversity, per_artist, model
        As in `mir.similarity.similar_tracks`.
    on_disk
        Whether tracks whose files are gone are left out.

    Raises
    ------
    BadRequest
        Where an argument is out of its range, or there is neither something to be like nor a filter.
    NotInCatalog, NothingToCompare, IndexDamaged, IndexIncompatible
        As `mir.similarity.similar_tracks`.
    """
    weights = weights_of(by or ("mix" if asking is None else "vocals"))
    _check(k, minutes, order, per_artist)
    k = DEFAULT_K if k is None and minutes is None else k
    chosen = filters or Filters()
    if asking is None:
        fetch = typical(catalog, weights, chosen, diversity, per_artist)
    else:
        fetch = like(catalog, asking, weights, chosen, diversity, per_artist, model)
    entries, missing = fill(catalog, fetch, k, minutes, on_disk=on_disk)
    return _ordered(catalog, _title(asking, weights, chosen), weights, order, entries, missing)


def walk(
    catalog: Catalog,
    start: Ends,
    end: Ends,
    by: Mapping[str, float] | str = "vocals",
    k: int = 10,
    *,
    filters: Filters | None = None,
    on_disk: bool = False,
) -> Playlist:
    """Make a playlist that goes gradually from one artist or track to another; as `mir.playlists.path`."""
    weights = weights_of(by)
    entries = path(catalog, start, end, weights, k, filters=filters, on_disk=on_disk)
    title = f"From {walk_name(start)} to {walk_name(end)}, by {_spelled(weights)}"
    return _ordered(catalog, title, weights, "walk", entries, [])


def _check(k: int | None, minutes: float | None, order: str, per_artist: int | None) -> None:
    for name, number in (("k", k), ("per_artist", per_artist)):
        if number is not None and number < 1:
            raise BadRequest(f"{name} is 1 or more, not {number}")
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise BadRequest(f"minutes is more than 0, not {minutes}")
    if order not in ORDERS:
        raise BadRequest(f"no order {order!r}; there are {', '.join(ORDERS)}")


def _ordered(
    catalog: Catalog,
    title: str,
    weights: Mapping[str, float],
    order: str,
    entries: Sequence[Entry],
    missing: Sequence[Missing],
) -> Playlist:
    if len(entries) > SMOOTH_MOST:
        raise BadRequest(f"{len(entries)} tracks are too many for one list; at most {SMOOTH_MOST}: -k {SMOOTH_MOST}")
    between = distances(entries, _cosines(catalog, weights, [entry.track_id for entry in entries]))
    given = list(range(len(entries)))
    places = given
    if order == "smooth":
        places = smooth(between.jump)
    elif order == "tempo":
        tempi = [math.inf if entry.tempo_bpm is None else entry.tempo_bpm for entry in entries]
        places = sorted(given, key=lambda place: (tempi[place], place))
    return Playlist(
        title=title,
        by=weights,
        order=order,
        entries=tuple(entries[place] for place in places),
        missing=tuple(missing),
        jumps=between.along(places),
        unsorted=between.along(given),
    )


def _cosines(catalog: Catalog, weights: Mapping[str, float], track_ids: list[int]) -> NDArray[np.float64]:
    """Return the weighted mean cosine between tracks in the positively weighted spaces, NaN where one lacks any."""
    ids = np.array(track_ids, np.int64)
    positive = {instrument: weight for instrument, weight in weights.items() if weight > 0}
    total = np.zeros((len(ids), len(ids)))
    with catalog.read() as con:
        for instrument, weight in positive.items():
            shelf = open_shelf(catalog, con, space_of(instrument))
            here = np.isin(ids, shelf.ids)
            cosine = np.full_like(total, np.nan)
            rows = shelf.rows(ids[here])
            cosine[np.ix_(here, here)] = np.clip(rows @ rows.T, -1.0, 1.0)
            total += weight / sum(positive.values()) * cosine
    return total


def _title(asking: Asking | None, weights: Mapping[str, float], filters: Filters) -> str:
    words = list(filters.genre) + [f"by {artist}" for artist in filters.artist]
    words += [] if filters.year is None else [shown(filters.year)]
    words += [] if filters.tempo_bpm is None else [f"{shown(filters.tempo_bpm)} BPM"]
    if asking is not None:
        seeds = [asking] if isinstance(asking, str | Path) else list(asking)
        names = " + ".join(Path(seed).stem if isinstance(seed, Path) else seed for seed in seeds)
        words.insert(0, f"Like {names}, by {_spelled(weights)}")
    return "; ".join(words)


def _spelled(weights: Mapping[str, float]) -> str:
    """Write weights as they are typed."""
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in weights.items())
