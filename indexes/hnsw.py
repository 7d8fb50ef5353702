"""A graph of near neighbours, walked from far to near: the fastest search where memory is no concern."""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from indexes.approximate import ApproximateIndex, Places, Selector

M: Final = 16
"""Neighbours of a vector on each layer of the graph, twice as many on the lowest."""

EF_CONSTRUCTION: Final = 64
"""Candidates that are weighed for each vector's neighbours."""

_DEAR: Final = 64
"""Vectors that a scan compares in the time that a search takes for one more candidate: it reads memory in order."""


class HnswIndex(ApproximateIndex):
    """Hierarchical navigable small world over full vectors (FAISS ``IndexHNSWFlat``).

    References
    ----------
    Y. Malkov and D. Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical
    navigable small world graphs", IEEE Transactions on Pattern Analysis and Machine Intelligence 42, 2020.

    Examples
    --------
    >>> index = HnswIndex(2)
    >>> index.add([7, 9], [[1.0, 0.0], [0.0, 1.0]])
    >>> index.search([[0.6, 0.8]], k=1).ids.tolist()
    [[9]]
    """

    kind: ClassVar[str] = "hnsw"
    efforts: ClassVar[tuple[tuple[int, ...], ...]] = tuple(
        (ef,) for ef in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
    )

    @staticmethod
    def bytes_per_vector(dimension: int) -> int:
        """Memory that one vector takes: its numbers, its neighbours on all layers, its id."""
        return 4 * dimension + 4 * 2 * M + 4 * M // (M - 1) + 16

    def _empty_map(self) -> Any:  # noqa: ANN401 - FAISS's classes have no types
        import faiss

        graph: Any = faiss.IndexHNSWFlat(self.dimension, M, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = EF_CONSTRUCTION
        graph.hnsw.efSearch = self.efforts[4][0]
        return faiss.IndexIDMap(graph)

    @classmethod
    def _ours(cls, inner: Any) -> bool:  # noqa: ANN401 - as above
        import faiss

        return isinstance(inner, faiss.IndexHNSWFlat) and inner.metric_type == faiss.METRIC_INNER_PRODUCT

    def _flat(self) -> Any:  # noqa: ANN401 - as above
        import faiss

        return faiss.downcast_index(self._inner().storage)

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._map.add_with_ids(vectors, ids)

    def _settings(self) -> dict[str, float]:
        hnsw = self._inner().hnsw
        return {
            "m": hnsw.nb_neighbors(1),
            "ef_construction": hnsw.efConstruction,
            "ef_search": hnsw.efSearch,
        }

    def _try(self, effort: tuple[int, ...]) -> None:
        self._inner().hnsw.efSearch = effort[0]

    def _compared(self, times: float) -> float:
        return float(_DEAR * times * self._inner().hnsw.efSearch)

    def _near(
        self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None, times: float
    ) -> tuple[Places, NDArray[np.float32]]:
        import faiss

        graph, library = self._inner(), cast("Any", faiss)  # FAISS's stubs do not know of these parameters
        with Selector(keep) as chosen:
            options = {} if chosen is None else {"sel": chosen}
            parameters = library.SearchParametersHNSW(efSearch=int(np.ceil(times * graph.hnsw.efSearch)), **options)
            similarities, places = graph.search(queries, k, params=parameters)
        return np.asarray(places, dtype=np.int64), np.asarray(similarities, dtype=np.float32)
