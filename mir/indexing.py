"""The catalog's indexes: built, verified, and searched together with what came since."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexes import ExactIndex, Index, IndexStore, Manifest, Origin
from indexes.errors import IndexDamaged, IndexIncompatible, IndexMissing
from mir.spaces import SpaceVectors, read_vectors, transform_in
from mir.transforms import Transform

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

SMALL: Final = 50_000
"""Fewer vectors than this are compared one by one as fast as an index is opened."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one space's index.

    Parameters
    ----------
    space, state
        ``current``; ``stale`` (right, but the catalog has moved on: what came since is searched beside it);
        ``missing``; ``damaged``; ``incompatible``.
    count
        Vectors in it.
    message
        What to do, where something is to be done.
    """

    space: str
    state: Literal["current", "stale", "missing", "damaged", "incompatible"]
    count: int
    message: str


class Shelf(Protocol):
    """Vectors of one space, wherever they lie."""

    @property
    def ids(self) -> NDArray[np.int64]:
        """Track ids, rising, shape ``(n,)``."""

    @property
    def whole(self) -> bool:
        """Whether a search costs the same whatever its depth."""

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Vectors of tracks that are here, shape ``(len(ids), d)``."""

    def nearest(self, query: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest, and the least similarity among them (−inf where nothing is left out)."""


class MemoryShelf:
    """Vectors in memory; every one is compared."""

    whole = True

    def __init__(self, vectors: SpaceVectors) -> None:
        self._vectors = vectors

    @property
    def ids(self) -> NDArray[np.int64]:
        """Track ids, rising."""
        return self._vectors.track_ids

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Vectors of tracks that are here."""
        return self._vectors.matrix[np.searchsorted(self.ids, ids)].astype(np.float64)

    def nearest(self, query: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest, and the least similarity among them."""
        if k >= len(self.ids):
            return self.ids, -np.inf
        similarities = self._vectors.matrix @ query.astype(np.float32)
        best = np.argpartition(-similarities, k - 1)[:k]
        return self.ids[best], float(similarities[best].min())


class IndexedShelf:
    """A published index, less what is gone or was measured again, plus what came since.

    Parameters
    ----------
    index
        As it was opened.
    left_out
        Ids in the index that must not answer.
    since
        Vectors that are in the catalog only.
    """

    whole = False

    def __init__(self, index: Index, left_out: NDArray[np.int64], since: SpaceVectors) -> None:
        self._index = index
        self._left_out = left_out
        self._since = MemoryShelf(since)
        self._kept = np.setdiff1d(index.ids, left_out)
        self._ids = np.union1d(self._kept, since.track_ids)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Track ids, rising."""
        return self._ids

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Vectors of tracks that are here."""
        found = np.empty((len(ids), self._index.dimension), np.float64)
        late = np.isin(ids, self._since.ids)
        found[late] = self._since.rows(ids[late])
        found[~late] = self._index.vectors(ids[~late])
        return found

    def nearest(self, query: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest in the index and of those beside it, and what bounds the rest."""
        answer = self._index.search(query[None], k, exclude=self._left_out)
        ids = answer.ids[0][answer.ids[0] >= 0]
        bound = -np.inf if len(ids) == len(self._kept) else float(answer.similarities[0, len(ids) - 1])
        late, late_bound = self._since.nearest(query, k)
        return np.concatenate([ids, late]), max(bound, late_bound)


def store(catalog: Catalog) -> IndexStore:
    """Return the folder of a catalog's indexes: ``mir.duckdb.indexes`` beside ``mir.duckdb``."""
    path = Path(catalog.path)
    return IndexStore(path.with_name(path.name + ".indexes"))


def build(catalog: Catalog, space: str) -> Manifest:
    """Build and publish the index of one space; whoever searches meanwhile uses the one before."""
    with catalog.read() as con:
        transform = transform_in(con, space)
        vectors = read_vectors(con, space, transform)
        origin, generation = _state(con, space, transform)
        ids, marks = _marks(con, origin)
    index = ExactIndex(transform.n_out)
    index.add(vectors.track_ids, vectors.matrix)
    return store(catalog).publish(index, origin, generation, marks[np.searchsorted(ids, vectors.track_ids)])


def verify(catalog: Catalog, space: str) -> Verdict:
    """Check the index of one space, checksum and all."""
    with catalog.read() as con:
        origin, generation = _state(con, space, transform_in(con, space))
    try:
        opened = store(catalog).open(space, origin)
    except IndexMissing as error:
        return Verdict(space, "missing", 0, str(error))
    except IndexDamaged as error:
        return Verdict(space, "damaged", 0, str(error))
    except IndexIncompatible as error:
        return Verdict(space, "incompatible", 0, str(error))
    if opened.manifest.catalog_generation != generation:
        return Verdict(space, "stale", len(opened.index), "still exact; to speed it up: mir index build")
    return Verdict(space, "current", len(opened.index), "")


def open_shelf(catalog: Catalog, con: duckdb.DuckDBPyConnection, space: str) -> Shelf:
    """Return the vectors of a space: through its index where one was built, else out of the catalog.

    Raises
    ------
    IndexDamaged, IndexIncompatible
        Where there is an index that cannot answer; the message has the command that builds it again.
    """
    transform = transform_in(con, space)
    folder = store(catalog)
    origin, generation = _state(con, space, transform)
    try:
        opened = folder.open(space, origin)
    except IndexMissing:
        vectors = read_vectors(con, space, transform)
        if len(vectors.track_ids) >= SMALL:
            logger.info("%s: %d vectors, no index; faster: mir index build", space, len(vectors.track_ids))
        return MemoryShelf(vectors)
    since = SpaceVectors(np.empty(0, np.int64), np.empty((0, transform.n_out), np.float32))
    left_out = np.empty(0, np.int64)
    if opened.manifest.catalog_generation != generation:
        ids, marks = _marks(con, origin)
        fresh = ids[_changed(ids, marks, opened.index.ids, opened.marks)]
        left_out = np.setdiff1d(opened.index.ids, np.setdiff1d(ids, fresh))
        if len(fresh):
            since = read_vectors(con, space, transform, only=fresh)
    return IndexedShelf(opened.index, left_out, since)


def _state(con: duckdb.DuckDBPyConnection, space: str, transform: Transform) -> tuple[Origin, int]:
    """Return what an index of the present vectors would say of its origin, and the catalog's generation."""
    catalog_id, generation = con.execute("SELECT catalog_id, generation FROM catalog_info").fetchall()[0]
    return Origin(catalog_id, space, transform.version, transform.transform_id), generation


def _marks(con: duckdb.DuckDBPyConnection, origin: Origin) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the tracks that have a vector now, by rising id, and a checksum of what each was made from."""
    rows = con.execute(
        "SELECT track_id, hash(raw) FROM descriptors WHERE space = ? AND version = ? ORDER BY track_id",
        [origin.space, origin.version],
    ).fetchnumpy()
    ids, marks = (np.asarray(column) for column in rows.values())
    return ids.astype(np.int64), marks.astype(np.uint64)


def _changed(
    ids: NDArray[np.int64],
    marks: NDArray[np.uint64],
    old_ids: NDArray[np.int64],
    old_marks: NDArray[np.uint64],
) -> NDArray[np.bool_]:
    """Tell for each of `ids` whether it is new, or its mark is another than it was; shape ``(len(ids),)``."""
    if not len(old_ids):
        return np.ones(len(ids), np.bool_)
    order = np.argsort(old_ids)
    at = order[np.minimum(np.searchsorted(old_ids, ids, sorter=order), len(old_ids) - 1)]
    differs: NDArray[np.bool_] = (old_ids[at] != ids) | (old_marks[at] != marks)
    return differs
