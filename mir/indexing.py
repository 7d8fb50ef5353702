"""The catalog's indexes: built, verified, and searched together with what came since."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexes import KINDS, Choice, Index, IndexStore, Manifest, Origin, choose
from indexes.errors import IndexDamaged, IndexesError, IndexIncompatible, IndexMissing
from indexes.store import Opened
from mir.errors import BadRequest
from mir.spaces import SpaceVectors, read_vectors, transform_in
from mir.transforms import Transform

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

AUTOMATIC: Final = "auto"
"""The kind of index that is chosen by size."""

SMALL: Final = 50_000
"""Fewer vectors than this are compared one by one as fast as an index is opened."""


_held: dict[tuple[Path, str], Opened] = {}


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

    @property
    def exact(self) -> bool:
        """Whether nothing is ever nearer than what a search found."""

    def nearest(
        self,
        query: NDArray[np.float64],
        k: int,
        *,
        allowed: NDArray[np.int64] | None = None,
        exhaustive: bool = False,
    ) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest, and the least similarity among them (−inf where nothing is left out).

        Of `allowed` alone where it is given, here or not: the others are neither found nor left out.
        An approximate index finds nearly all of them: what it missed may be nearer than the least. Where
        `exhaustive`, every vector is compared: queries that lie where no vectors are need it (a track's opposite).
        """


class MemoryShelf:
    """Vectors in memory; every one is compared."""

    whole = True
    exact = True

    def __init__(self, vectors: SpaceVectors) -> None:
        self._vectors = vectors

    @property
    def ids(self) -> NDArray[np.int64]:
        """Track ids, rising."""
        return self._vectors.track_ids

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Vectors of tracks that are here."""
        return self._vectors.matrix[np.searchsorted(self.ids, ids)].astype(np.float64)

    def nearest(
        self,
        query: NDArray[np.float64],
        k: int,
        *,
        allowed: NDArray[np.int64] | None = None,
        exhaustive: bool = False,
    ) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest, and the least similarity among them; always exhaustive."""
        ids, matrix = self.ids, self._vectors.matrix
        if allowed is not None:
            keep = np.isin(ids, allowed)
            ids, matrix = ids[keep], matrix[keep]
        if k >= len(ids):
            return ids, -np.inf
        similarities = matrix @ query.astype(np.float32)
        best = np.argpartition(-similarities, k - 1)[:k]
        return ids[best], float(similarities[best].min())


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
    def exact(self) -> bool:
        """Whether the index compares every vector."""
        return self._index.exact

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

    def nearest(
        self,
        query: NDArray[np.float64],
        k: int,
        *,
        allowed: NDArray[np.int64] | None = None,
        exhaustive: bool = False,
    ) -> tuple[NDArray[np.int64], float]:
        """Ids of the `k` nearest in the index and of those beside it, and what bounds the rest."""
        answer = self._index.search(query[None], k, exclude=self._left_out, allowed=allowed, exhaustive=exhaustive)
        ids = answer.ids[0][answer.ids[0] >= 0]
        everything = len(ids) < k or len(ids) == len(self._kept)
        bound = -np.inf if everything else float(answer.similarities[0, -1])
        late, late_bound = self._since.nearest(query, k, allowed=allowed)
        return np.concatenate([ids, late]), max(bound, late_bound)


def store(catalog: Catalog) -> IndexStore:
    """Return the folder of a catalog's indexes: ``mir.duckdb.indexes`` beside ``mir.duckdb``."""
    path = Path(catalog.path)
    return IndexStore(path.with_name(path.name + ".indexes"))


def build(catalog: Catalog, space: str, kind: str = AUTOMATIC, *, anew: bool = False) -> Manifest:
    """Build and publish the index of one space; whoever searches meanwhile uses the one before.

    An approximate index of the same vectors and kind is carried on: what is gone or was measured again is removed,
    what came since is added, and its effort is measured again.

    Parameters
    ----------
    catalog, space
        What to index.
    kind
        ``exact``, ``hnsw``, ``ivf-pq``, or ``auto``: by how many vectors there are, and the machine's memory.
    anew
        Whether to start from nothing, whatever there is.

    Raises
    ------
    BadRequest
        Where there is no such kind.
    """
    if kind not in (AUTOMATIC, *KINDS):
        raise BadRequest(f"no kind of index {kind!r}; there are {', '.join((AUTOMATIC, *KINDS))}")
    with catalog.read() as con:
        transform = transform_in(con, space)
        origin, generation = _state(con, space, transform)
        ids, marks = _marks(con, origin)
        choice = Choice(kind, "asked for")
        if kind == AUTOMATIC:
            choice = choose(len(ids), transform.n_out, _memory_bytes())
        before = None if anew else _usable(catalog, origin, choice.kind)
        if before is None:
            index, fresh = KINDS[choice.kind](transform.n_out), read_vectors(con, space, transform)
        else:
            index, changed = before.index, ids[_changed(ids, marks, before.index.ids, before.marks)]
            index.remove(np.setdiff1d(index.ids, np.setdiff1d(ids, changed)))
            fresh = read_vectors(con, space, transform, only=changed)
    index.add(fresh.track_ids, fresh.matrix)
    logger.info("%s: %s, because: %s; %d vectors added", space, choice.kind, choice.why, len(fresh.track_ids))
    index.tune()
    return store(catalog).publish(index, origin, generation, marks[np.searchsorted(ids, index.ids)], why=choice.why)


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
        return Verdict(
            space, "stale", len(opened.index), "what came since is searched beside it; to speed it up: mir index build"
        )
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
        opened = _opened(folder, origin)
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


def _opened(folder: IndexStore, origin: Origin) -> Opened:
    """Open an index, or give the one that is open: a large one is read and checked once for each publication."""
    key = (folder.root, origin.space)
    held = _held.get(key)
    if held is not None and held.manifest.origin == origin:
        try:
            if folder.manifest(origin.space) == held.manifest:
                return held
        except FileNotFoundError:
            logger.debug("the index of %s moved on while its manifest was read", origin.space)
    opened = folder.open(origin.space, origin)
    if opened.index.exact:
        _held.pop(key, None)
    else:
        _held[key] = opened
    return opened


def _usable(catalog: Catalog, origin: Origin, kind: str) -> Opened | None:
    """Open the published index where it can be carried on: approximate, of this kind, whole, of the same vectors."""
    if KINDS[kind].exact:
        return None  # made anew in no time, where an old one would be read and checked for nothing
    try:
        opened = store(catalog).open(origin.space, origin)
    except IndexesError:
        return None
    return opened if opened.index.kind == kind else None


def _memory_bytes() -> int | None:
    """Return the machine's memory, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


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
