"""Exhaustive search: the reference that approximate indexes are measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import Index, Neighbours, refuse_absent
from indexes.errors import IndexDamaged
from indexes.files import read_faiss
from indexes.manifest import REBUILD


class ExactIndex(Index):
    """Every vector is compared with every query (FAISS ``IndexFlatIP`` under ``IndexIDMap2``).

    References
    ----------
    M. Douze et al., "The Faiss library", IEEE Transactions on Big Data, 2025.

    Examples
    --------
    >>> index = ExactIndex(2)
    >>> index.add([7, 9], [[1.0, 0.0], [0.0, 1.0]])
    >>> index.search([[0.6, 0.8]], k=1).ids.tolist()
    [[9]]
    """

    kind: ClassVar[str] = "exact"
    exact: ClassVar[bool] = True

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        import faiss

        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order in which they were added, shape ``(n,)``."""
        import faiss

        return np.asarray(faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return stored vectors by id, shape ``(len(ids), dimension)``.

        Raises
        ------
        VectorsInvalid
            Where an id is not here.
        """
        wanted = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        held = self.ids
        refuse_absent(wanted[~np.isin(wanted, held)])
        if np.array_equal(wanted, held):
            flat = self._index.index.reconstruct_n(0, len(self))
        else:
            flat = self._index.reconstruct_batch(wanted) if len(wanted) else []
        return np.asarray(flat, dtype=np.float32).reshape(len(wanted), self.dimension)

    def tune(self) -> None:
        """Do nothing: every vector is compared."""

    def write(self, path: Path) -> None:
        """Write FAISS's own file format."""
        import faiss

        faiss.write_index(self._index, str(path))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        IndexDamaged
            Where FAISS makes no exact index of the file.
        FileNotFoundError
            Where there is no file.
        """
        import faiss

        loaded = read_faiss(path)
        inner = faiss.downcast_index(loaded.index) if isinstance(loaded, faiss.IndexIDMap2) else None
        if not isinstance(inner, faiss.IndexFlatIP):
            raise IndexDamaged(f"{path} is no exact inner-product index; {REBUILD}")
        index = cls(int(loaded.d))
        index._index = loaded
        return index

    def _add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._index.add_with_ids(vectors, ids)

    def _remove(self, ids: NDArray[np.int64]) -> None:
        self._index.remove_ids(ids)

    def _search(
        self,
        queries: NDArray[np.float32],
        k: int,
        exclude: NDArray[np.int64] | None,
        allowed: NDArray[np.int64] | None,
        *,
        exhaustive: bool,
    ) -> Neighbours:
        import faiss

        parameters_of: Any = faiss.SearchParameters
        parameters: Any = None
        # FAISS keeps pointers into these; the names keep them alive until the search is over.
        kept: NDArray[np.int64] | None = None
        inner: Any = None
        if allowed is not None:
            kept = np.unique(allowed if exclude is None else np.setdiff1d(allowed, exclude))
            inner = faiss.IDSelectorBatch(kept)
            parameters = parameters_of(sel=inner)
        elif exclude is not None and len(exclude):
            kept = np.unique(exclude)
            inner = faiss.IDSelectorBatch(kept)
            outer = faiss.IDSelectorNot(inner)
            parameters = parameters_of(sel=outer)
        similarities, ids = self._index.search(queries, k, params=parameters)
        return Neighbours(np.asarray(ids, dtype=np.int64), np.asarray(similarities, dtype=np.float32))
