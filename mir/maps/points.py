"""Where tracks lie: computed once, kept in the catalog as long as the vectors are the same."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mir.clusters.blend import Blend, By, blend_weights, name_of, read_blend
from mir.errors import CatalogBusy, NothingToCompare, NotInCatalog
from mir.maps.projection import Near, choose, parameters, project

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Points:
    """A map without colours.

    Parameters
    ----------
    instruments, weights
        What it is by: as the catalog writes it, and by instrument.
    track_ids
        Shape ``(n,)``, rising.
    xy
        Shape ``(n, 2)``; only nearness means something.
    parameters
        How it was made.
    reused
        Whether it lay in the catalog already.
    near
        The nearest tracks of each, where they were found on the way.
    """

    instruments: str
    weights: dict[str, float]
    track_ids: NDArray[np.int64]
    xy: NDArray[np.float64]
    parameters: dict[str, Any]
    reused: bool
    near: Near | None = field(default=None, repr=False)


def place(
    catalog: Catalog,
    by: By,
    *,
    method: str | None = None,
    anew: bool = False,
    on_step: Callable[[str], None] = logger.info,
) -> Points:
    """Place all tracks that have some instruments, and keep the places in ``maps`` and ``map_points``.

    What is there is used again while vectors and parameters are the same, so that another colour costs nothing. A
    catalog that another process keeps busy gets no new places, and the map is drawn all the same.

    Raises
    ------
    BadRequest
        Where `by` or `method` is none.
    NothingToCompare
        Where no track has these instruments.
    ExtraMissing
        Where UMAP is not installed.
    """
    on_step("reading vectors")
    generation = catalog.identity().generation
    blend = read_blend(catalog, by)
    n = len(blend.track_ids)
    if not n:
        raise NothingToCompare(
            f"no track of {catalog.path.name} has {' and '.join(blend.weights)}; mir status says what is missing"
        )
    wanted = parameters(choose(n, method), n)
    fingerprint = _fingerprint(blend, wanted)
    kept = None if anew else _stored(catalog, blend.instruments, fingerprint)
    if kept is not None and np.array_equal(kept[0], blend.track_ids):
        return Points(blend.instruments, blend.weights, *kept, wanted, reused=True)
    how = "loading UMAP takes some seconds, 50,000 tracks a minute" if wanted["method"] == "umap" else "two directions"
    on_step(f"placing {n:,} tracks ({how})")
    xy, near = project(blend.matrix, wanted)
    points = Points(blend.instruments, blend.weights, blend.track_ids, xy, wanted, reused=False, near=near)
    try:
        _keep(catalog, points, generation, fingerprint)
    except CatalogBusy as error:
        logger.warning("the places are not kept: %s", error)
    return points


def read_points(catalog: Catalog, by: By) -> Points:
    """Return a map as it was last made, whatever has come since; quick.

    Raises
    ------
    BadRequest
        Where `by` is no positive weighing of instruments.
    NotInCatalog
        Where none was made; the message has the command that makes it.
    """
    weights = blend_weights(by)
    instruments = name_of(weights)
    with catalog.read() as con:
        made = con.execute("SELECT parameters::VARCHAR FROM maps WHERE instruments = ?", [instruments]).fetchone()
    kept = _stored(catalog, instruments, None)
    if made is None or kept is None:
        raise NotInCatalog(f"no map by {instruments} yet; make it: mir map --by {instruments} -o map.html")
    return Points(instruments, weights, *kept, json.loads(made[0]), reused=True)


def _fingerprint(blend: Blend, wanted: dict[str, Any]) -> str:
    checksum = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode())
    checksum.update(blend.track_ids.tobytes())
    checksum.update(np.ascontiguousarray(blend.matrix).tobytes())
    return checksum.hexdigest()


def _stored(
    catalog: Catalog, instruments: str, fingerprint: str | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Return ids and places of a map; None where there is none (of this fingerprint)."""
    with catalog.read() as con:
        found = con.execute(
            "SELECT track_id, x, y FROM map_points WHERE instruments = ? AND EXISTS (FROM maps WHERE instruments = ?"
            " AND fingerprint = coalesce(?, fingerprint)) ORDER BY track_id",
            [instruments, instruments, fingerprint],
        ).fetchnumpy()
    ids, x, y = (np.asarray(column) for column in found.values())
    return (ids.astype(np.int64), np.column_stack([x, y]).astype(np.float64)) if len(ids) else None


def _keep(catalog: Catalog, points: Points, generation: int, fingerprint: str) -> None:
    with catalog.write() as con:
        for table in ("maps", "map_points"):
            con.execute(f"DELETE FROM {table} WHERE instruments = ?", [points.instruments])  # noqa: S608 - our own names
        con.execute(
            "INSERT INTO maps (instruments, generation, parameters, fingerprint) VALUES (?, ?, ?, ?)",
            [points.instruments, generation, json.dumps(points.parameters), fingerprint],
        )
        con.execute(
            "INSERT INTO map_points (track_id, instruments, x, y) SELECT track_id, ?, x, y FROM"
            " (SELECT unnest(?::BIGINT[]) AS track_id, unnest(?::DOUBLE[]) AS x, unnest(?::DOUBLE[]) AS y)"
            " WHERE track_id IN (SELECT track_id FROM tracks)",
            [points.instruments, points.track_ids.tolist(), points.xy[:, 0].tolist(), points.xy[:, 1].tolist()],
        )
