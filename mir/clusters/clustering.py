"""From a catalog to named clusters, and back into it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mir.clusters.blend import Blend, By, read_blend
from mir.clusters.grouping import group
from mir.clusters.matching import number
from mir.clusters.naming import distinguish, names, read_measured
from mir.clusters.records import Clustering
from mir.clusters.store import noise_free, read_before, read_clustering, replace_clustering
from mir.errors import BadRequest

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger(__name__)


def cluster(
    catalog: Catalog, by: By, min_size: int | None = None, *, on_step: Callable[[str], None] = logger.info
) -> Clustering:
    """Put the library into clusters by some instruments, name them, and store them.

    Clusters that were there before keep their ids where they are found again. Tracks that belong nowhere are left
    where they are: in no cluster.

    Parameters
    ----------
    catalog
        The catalog; its last clustering by the same instruments is replaced.
    by
        Instruments with weights, as for `mir similar`, none negative: ``"drums"``, ``{"vocals": 0.7, "drums": 0.3}``.
    min_size
        Least number of tracks in a cluster; about √n / 2, and 5 or more, where it is None.
    on_step
        Told what is being done.

    Raises
    ------
    BadRequest
        Where `by` is no positive weighing of instruments, or `min_size` is less than 2.
    CatalogBusy
        Where another process keeps the catalog.

    Examples
    --------
    ::

        for one in mir.clusters.cluster(catalog, by="drums").clusters:
            print(one.cluster_id, one.name, one.size, one.artist, one.genre)
    """
    if min_size is not None and min_size < 2:
        raise BadRequest(f"min_size={min_size}: a cluster has at least 2 tracks")
    on_step("reading vectors")
    generation = catalog.identity().generation
    blend = read_blend(catalog, by)
    on_step(f"clustering {len(blend.track_ids):,} tracks by {blend.instruments}")
    found = group(blend.matrix, blend.track_ids, min_size)
    on_step("naming clusters")
    with catalog.read() as con:
        told = distinguish(read_measured(con, blend.weights, blend.track_ids), found.labels)
    sizes = np.bincount(found.labels + 1, minlength=len(told) + 1)[1:].tolist()
    named = names(told, sizes)
    with catalog.write() as con:
        before = read_before(con, blend.instruments)
        numbering = number(blend.track_ids, found.labels, before.clusters, before.next_id)
        replace_clustering(
            con,
            blend.instruments,
            list(zip(numbering.ids, named, sizes, told, strict=True)),
            [
                blend.track_ids,
                noise_free(numbering.ids, found.labels),
                found.probabilities,
                noise_free(numbering.ids, found.nearest),
                _medoids(blend, found.labels),
            ],
            (generation, numbering.next_id, found.parameters),
        )
    return read_clustering(catalog, by)


def _medoids(blend: Blend, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which tracks are the most typical of their clusters: largest mean similarity to the others in it."""
    chosen = np.zeros(len(labels), np.bool_)
    for label in range(int(labels.max(initial=-1)) + 1):
        inside = np.flatnonzero(labels == label)
        rows = blend.matrix[inside].astype(np.float64)
        chosen[inside[(rows @ rows.mean(axis=0)).argmax()]] = True
    return chosen
