"""A map as one JSON object: what ``map.js`` shows, in this package's page or anybody else's.

Long columns are packed: base64 of little-endian numbers, two bytes where 65,535 steps are enough.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mir import plots
from mir.maps.columns import (
    CLUSTER,
    NONE,
    Amounts,
    Categories,
    Column,
    cluster_column,
    column_called,
    label_point,
    library_columns,
    need_clusters,
    read_columns,
)
from mir.maps.points import Points, read_points
from mir.maps.projection import Near, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mir.catalog import Catalog
    from mir.clusters import Clustering

FORMAT: Final = 1
"""Version of the object; `map.js` refuses another."""

NEIGHBOURS: Final = 6

_STEPS: Final = 65_534
_MISSING_16: Final = 65_535
_MISSING_32: Final = 2**32 - 1
_MOST_VALUES: Final = 2_000_000
_FEWEST_COLUMNS: Final = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A map with everything that is shown on it.

    Parameters
    ----------
    points
        Where tracks lie.
    titles, artists
        Of each track.
    columns
        What points can be coloured by, by name.
    colour
        The one that they are coloured by.
    clustering
        The clusters by the same instruments, None where there are none.
    """

    points: Points
    titles: tuple[str, ...]
    artists: tuple[str, ...]
    columns: Mapping[str, Column]
    colour: str
    clustering: Clustering | None

    @property
    def title(self) -> str:
        """What is shown, in words."""
        n = len(self.points.track_ids)
        return f"{n:,} track{'' if n == 1 else 's'} by {self.points.instruments.replace(',', ' and ')}"

    @property
    def note(self) -> str:
        """How to read it."""
        if self.points.parameters["method"] == "pca":
            return "The two main directions of spread: near is alike, far is unlike."
        return "UMAP: near is alike; distances across the map, and the axes, mean nothing."


def read_chart(catalog: Catalog, points: Points, colour: str | None = None) -> Chart:
    """Read names, columns and clusters of the tracks on a map.

    Parameters
    ----------
    catalog, points
        The catalog and where its tracks lie; tracks that it has lost are left out.
    colour
        ``genre``, ``cluster``, or any column of ``library``. Where it is None: genre where half of the tracks have one,
        else clusters where there are any, else what there is.

    Raises
    ------
    BadRequest
        Where there is no such column.
    NotInCatalog
        Where clusters are asked for and there are none.
    """
    from mir.clusters import read_clustering
    from mir.errors import NotInCatalog

    try:
        clustering = read_clustering(catalog, points.weights)
    except NotInCatalog:
        clustering = None
    if colour == CLUSTER and (clustering is None or not clustering.clusters):
        raise need_clusters(points.instruments)
    with catalog.read() as con:
        rows = con.execute(
            "SELECT track_id, title, artist FROM tracks WHERE track_id IN (SELECT unnest(?::BIGINT[]))"
            " ORDER BY track_id",
            [points.track_ids.tolist()],
        ).fetchall()
        there = np.isin(points.track_ids, np.array([row[0] for row in rows], np.int64))
        shown = points
        if not there.all():
            shown = replace(points, track_ids=points.track_ids[there], xy=points.xy[there], near=None)
        known = library_columns(con)
        if colour not in (None, CLUSTER):
            colour = column_called(known, str(colour), points.weights)
        names = _offered(known, shown, colour)
        columns = read_columns(con, names, shown.track_ids)
        if clustering is not None and clustering.clusters:
            columns = {CLUSTER: cluster_column(con, clustering, shown.track_ids, shown.xy), **columns}
    chosen = colour or _default_colour(columns)
    kept = {name: column for name, column in columns.items() if name == chosen or _tells(column)}
    return Chart(shown, tuple(row[1] for row in rows), tuple(row[2] for row in rows), kept, chosen, clustering)


def map_data(
    catalog: Catalog,
    by: Mapping[str, float] | str | Points,
    colour: str | None = None,
    *,
    neighbours: int = NEIGHBOURS,
) -> dict[str, Any]:
    """Return a map as `map.js` takes it: ``MirMap.show(element, data)``.

    Parameters
    ----------
    catalog
        The catalog.
    by
        Instruments whose stored map is shown (`mir map` makes it), or the points of one.
    colour
        As for `read_chart`.
    neighbours
        How many nearest tracks come with each. They are found by comparing all with all, which takes a minute for
        100,000 tracks; with 0 the answer is quick at any size, and a click lists none.

    Raises
    ------
    BadRequest, NotInCatalog
        As `mir.maps.points.read_points` and `read_chart`.
    """
    points = by if isinstance(by, Points) else read_points(catalog, by)
    return chart_data(catalog, read_chart(catalog, points, colour), neighbours)


def chart_data(catalog: Catalog, chart: Chart, neighbours: int = NEIGHBOURS) -> dict[str, Any]:
    """Return a chart as `map.js` takes it, with the nearest tracks of each in the full space."""
    return to_plain(chart, _near(catalog, chart, neighbours))


def to_plain(chart: Chart, near: Near) -> dict[str, Any]:
    """Pack a chart, with the nearest tracks of each, into what JSON can hold."""
    xy, height = _scaled(chart.points.xy)
    artists = sorted(set(chart.artists))
    places = {artist: place for place, artist in enumerate(artists)}
    return {
        "format": FORMAT,
        "title": chart.title,
        "note": chart.note,
        "count": len(chart.titles),
        "height": height,
        "x": _packed(np.rint(xy[:, 0] * _MISSING_16), "<u2"),
        "y": _packed(np.rint(xy[:, 1] * _MISSING_16), "<u2"),
        "track_ids": _packed(chart.points.track_ids, "<f8"),
        "titles": list(chart.titles),
        "artists": {"names": artists, "codes": _packed([places[each] for each in chart.artists], "<u4")},
        "columns": [_column(column) for column in chart.columns.values()],
        "colour": chart.colour,
        "clusters": _labels(chart, xy),
        "neighbours": {
            "each": near.places.shape[1],
            "places": _packed(near.places, "<u4"),
            "similarities": _packed(np.rint((np.clip(near.similarities, -1, 1) + 1) * 32767), "<u2"),
        },
        "palettes": {
            theme: {
                "categories": list(plots.CATEGORIES[theme]),
                "others": plots.OTHERS[theme],
                "amounts": list(plots.AMOUNTS[theme]),
            }
            for theme in ("light", "dark")
        },
    }


def _near(catalog: Catalog, chart: Chart, k: int) -> Near:
    from mir.clusters.blend import read_blend

    known = chart.points.near
    if known is not None and len(known.places) == len(chart.titles) and known.places.shape[1] >= k:
        return Near(known.places[:, :k], known.similarities[:, :k])
    ids = chart.points.track_ids
    nobody = Near(np.empty((len(ids), 0), np.int64), np.empty((len(ids), 0), np.float32))
    if not k:
        return nobody
    blend = read_blend(catalog, chart.points.weights)
    here = np.isin(blend.track_ids, ids)
    # Tracks that were measured anew since the map was made may be silent now.
    return nobody if here.sum() < len(ids) else nearest(blend.matrix[here], k)


def _offered(known: Mapping[str, str], points: Points, colour: str | None) -> list[str]:
    """Choose the columns of a page: not so many that a large map becomes heavy."""
    from features import extractor
    from features.words import words_of
    from mir.spaces import space_of

    names = ["genre", "year"]
    for instrument in points.weights:
        declared = extractor(space_of(instrument))
        named = [column.name for column in declared.columns if words_of(declared.space, column.name) is not None]
        names += [name if name in known else f"{declared.space}_{name}" for name in named]
    most = max(_FEWEST_COLUMNS, _MOST_VALUES // max(1, len(points.track_ids)))
    names = [name for name in names if name in known][:most]
    return names + ([colour] if colour is not None and colour not in (CLUSTER, *names) else [])


def _tells(column: Column) -> bool:
    if isinstance(column, Categories):
        return bool(column.names)
    return bool(np.isfinite(column.values).any())


def _default_colour(columns: Mapping[str, Column]) -> str:
    genre = columns["genre"]
    known = float((genre.codes != NONE).mean()) if isinstance(genre, Categories) and len(genre.codes) else 0.0
    if known < 0.5 and CLUSTER in columns:
        return CLUSTER
    amounts = [
        name for name, column in columns.items() if isinstance(column, Amounts) and name != "year" and _tells(column)
    ]
    return "genre" if known >= 0.5 or not amounts else amounts[0]


def _scaled(xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Fit places into 0 to 1 both ways, y downwards as on a screen; return also height over width."""
    low = xy.min(axis=0) if len(xy) else np.zeros(2)
    span = (xy.max(axis=0) if len(xy) else np.zeros(2)) - low
    safe = np.where(span > 0, span, 1.0)
    scaled = np.where(span > 0, (xy - low) / safe, 0.5)
    scaled[:, 1] = 1.0 - scaled[:, 1]
    return scaled, float(np.clip(safe[1] / safe[0], 0.2, 5.0))


def _column(column: Column) -> dict[str, Any]:
    if isinstance(column, Categories):
        codes = np.where(column.codes == NONE, _MISSING_32, column.codes)
        return {
            "kind": "categories",
            "name": column.name,
            "missing": column.missing,
            "names": list(column.names),
            "colours": list(column.colours),
            "codes": _packed(codes, "<u4"),
        }
    there = np.isfinite(column.values)
    low, high = (float(column.values[there].min()), float(column.values[there].max())) if there.any() else (0.0, 1.0)
    steps = np.rint((column.values - low) / ((high - low) or 1.0) * _STEPS)
    return {
        "kind": "amounts",
        "name": column.name,
        "least": low,
        "most": high,
        "low": column.low,
        "high": column.high,
        "codes": _packed(np.where(there, steps, _MISSING_16), "<u2"),
    }


def _labels(chart: Chart, xy: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return the clusters with the places of their names, largest first."""
    column = chart.columns.get(CLUSTER)
    if chart.clustering is None or not isinstance(column, Categories):
        return []
    found = []
    for place, one in enumerate(chart.clustering.clusters):
        x, y = label_point(xy, column.codes == place)
        if np.isfinite(x):
            found.append({"id": one.cluster_id, "name": one.name, "size": one.size, "x": float(x), "y": float(y)})
    return found


def _packed(numbers: NDArray[Any] | Sequence[int], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers).astype(kind).tobytes()).decode("ascii")
