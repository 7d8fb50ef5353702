"""What points are coloured by: genre, cluster, or any column of the view ``library``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mir import plots
from mir.errors import BadRequest, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.clusters import Clustering

CLUSTER: Final = "cluster"
NONE: Final = -1
"""Code of a value that is missing, and of a category without a colour."""


@dataclass(frozen=True, slots=True)
class Categories:
    """A column of names.

    Parameters
    ----------
    name, missing
        Of the column, and what a point without a value is called.
    names
        The names, commonest first.
    codes
        Shape ``(n,)``: place in `names`, `NONE` where missing.
    colours
        Place in `mir.plots.CATEGORIES` for each name, `NONE` for those that share the grey of the others.
    """

    name: str
    missing: str
    names: tuple[str, ...]
    codes: NDArray[np.int64]
    colours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Amounts:
    """A column of numbers.

    Parameters
    ----------
    name
        Of the column, its unit at the end.
    values
        Shape ``(n,)``, NaN where missing.
    low, high
        Where colours begin and end: the 2nd and 98th percentile, so that no single track takes all of them.
    """

    name: str
    values: NDArray[np.float64]
    low: float
    high: float


Column = Categories | Amounts


def library_columns(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the columns of ``library`` that can colour a point, with their SQL types."""
    rows = con.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
        " AND table_name = 'library' AND data_type NOT LIKE '%[]' ORDER BY column_index"
    ).fetchall()
    return dict(rows)


def column_called(known: Mapping[str, str], name: str, instruments: Iterable[str]) -> str:
    """Return the column of ``library`` that is meant: itself, or the one of a map's own instrument.

    Raises
    ------
    BadRequest
        Where there is none, or it holds lists; the message lists near names.
    """
    from mir.spaces import space_of

    for candidate in (name, *(f"{space_of(instrument)}_{name}" for instrument in instruments)):
        if candidate in known:
            return candidate
    near = get_close_matches(name, known, n=5, cutoff=0.4) or list(known)[:12]
    raise BadRequest(f"nothing to colour by called {name!r}; there are {CLUSTER}, {', '.join(near)} and others")


def read_columns(
    con: duckdb.DuckDBPyConnection, names: Sequence[str], track_ids: NDArray[np.int64]
) -> dict[str, Column]:
    """Read columns of ``library``, as `column_called` named them, for tracks by rising id."""
    from mir.catalog.schema import identifier

    known = library_columns(con)
    selected = ", ".join(map(identifier, ("track_id", *names)))
    fetched = con.execute(
        f"SELECT {selected} FROM library WHERE track_id IN (SELECT unnest(?::BIGINT[])) ORDER BY track_id",  # noqa: S608 - the view's own columns
        [track_ids.tolist()],
    ).fetchnumpy()
    found: dict[str, Column] = {}
    for name, values in list(fetched.items())[1:]:
        if known[name] == "VARCHAR":
            found[name] = _categories(name, [None if each is np.ma.masked else each for each in _plain(values)])
        else:
            found[name] = amounts(name, np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan))
    return found


def _plain(values: Any) -> list[Any]:  # noqa: ANN401 - masked or not
    return [each if isinstance(each, str) else None for each in np.ma.asarray(values).tolist()]


def amounts(name: str, values: NDArray[np.float64]) -> Amounts:
    """Make a column of numbers."""
    there = values[np.isfinite(values)]
    low, high = np.percentile(there, (2, 98)) if len(there) else (0.0, 1.0)
    return Amounts(name, values, float(low), float(high) if high > low else float(low) + 1.0)


def _categories(name: str, values: Sequence[str | None]) -> Categories:
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    names = sorted(counts, key=lambda each: (-counts[each], each))
    places = {each: place for place, each in enumerate(names)}
    codes = np.array([NONE if value is None else places[value] for value in values], np.int64)
    most = len(plots.CATEGORIES["light"])
    colours = tuple(place if place < most else NONE for place in range(len(names)))
    return Categories(name, f"no {name.replace('_', ' ')}", tuple(names), codes, colours)


def cluster_column(
    con: duckdb.DuckDBPyConnection, clustering: Clustering, track_ids: NDArray[np.int64], xy: NDArray[np.float64]
) -> Categories:
    """Return the clusters as a column; clusters that are near each other on the map get different colours."""
    rows = con.execute(
        "SELECT track_id, cluster_id FROM track_clusters WHERE instruments = ?", [clustering.instruments]
    ).fetchall()
    of_track = dict(rows)
    places = {one.cluster_id: place for place, one in enumerate(clustering.clusters)}
    codes = np.array([places.get(of_track.get(each, 0), NONE) for each in track_ids.tolist()], np.int64)
    centres = [label_point(xy, codes == place) for place in range(len(places))]
    names = tuple(one.name for one in clustering.clusters)
    return Categories(CLUSTER, "in no cluster", names, codes, _spread_colours(centres))


def label_point(xy: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the place of the track in the middle of a group, NaN for an empty one; shape ``(2,)``."""
    own = xy[inside]
    if not len(own):
        return np.full(2, np.nan)
    return np.asarray(own[np.abs(own - np.median(own, axis=0)).sum(axis=1).argmin()])


def _spread_colours(centres: Sequence[NDArray[np.float64]]) -> tuple[int, ...]:
    """Give each group the colour whose other groups are farthest away; unused colours come first."""
    chosen: list[int] = []
    for place, centre in enumerate(centres):
        room = [
            min(
                (float(np.hypot(*(centre - centres[other]))) for other in range(place) if chosen[other] == colour),
                default=np.inf,
            )
            for colour in range(len(plots.CATEGORIES["light"]))
        ]
        chosen.append(int(np.argmax(room)))
    return tuple(chosen)


def need_clusters(instruments: str) -> NotInCatalog:
    """Return the error of a map coloured by clusters that were never made."""
    return NotInCatalog(f"there are no clusters by {instruments}; make them: mir cluster --by {instruments}")
