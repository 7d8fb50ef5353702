"""Cells and short codes, scored again from full vectors on disk: the index for more vectors than memory holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from indexes.approximate import ApproximateIndex, Places, Selector

MINIMUM: Final = 10_000
"""Vectors that are needed to learn 256 codewords; fewer are compared one by one."""

_OUTGROWN: Final = 4
"""Cells are learnt anew when there are this many times as many vectors as they were learnt for."""

_TRAINING: Final = 200_000
_BLOCK: Final = 128
_SEED: Final = 1234


class IvfPqIndex(ApproximateIndex):
    """Inverted file with product quantisation (FAISS ``IndexIVFPQ``), re-scored exactly (``IndexRefine``).

    A search visits the `nprobe` nearest of √n cells, compares codes of a byte for two numbers, and scores the
    `rescore` best for each neighbour wanted from the full vectors. When the index is read, those stay on disk, mapped
    into memory, and only the few that are scored are loaded.

    References
    ----------
    H. Jégou, M. Douze and C. Schmid, "Product quantization for nearest neighbor search", IEEE Transactions on
    Pattern Analysis and Machine Intelligence 33, 2011.

    Examples
    --------
    >>> index = IvfPqIndex(2)
    >>> index.add([7, 9], [[1.0, 0.0], [0.0, 1.0]])
    >>> index.search([[0.6, 0.8]], k=1).ids.tolist()
    [[9]]
    """

    kind: ClassVar[str] = "ivf-pq"
    efforts: ClassVar[tuple[tuple[int, ...], ...]] = (
        (4, 8),
        (8, 8),
        (8, 16),
        (16, 16),
        (16, 32),
        (32, 32),
        (64, 32),
        (64, 64),
        (128, 64),
        (256, 128),
    )

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self._mapped = False

    @staticmethod
    def bytes_per_vector(dimension: int) -> int:
        """Memory that one vector takes: its code and two ids; its numbers are on disk."""
        return _code_bytes(dimension) + 16

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; the full vectors stay on disk.

        Raises
        ------
        IndexDamaged
            Where FAISS makes no index of this kind of the file.
        FileNotFoundError
            Where there is no file.
        """
        index = super().read(path)
        index._mapped = True
        return index

    @classmethod
    def _reading_flags(cls) -> int:
        import faiss

        return int(faiss.IO_FLAG_MMAP_IFC)

    def _empty_map(self) -> Any:  # noqa: ANN401 - FAISS's classes have no types
        import faiss

        return faiss.IndexIDMap(faiss.IndexFlatIP(self.dimension))

    @classmethod
    def _ours(cls, inner: Any) -> bool:  # noqa: ANN401 - as above
        import faiss

        if isinstance(inner, faiss.IndexRefine):
            return isinstance(faiss.downcast_index(inner.base_index), faiss.IndexIVFPQ)
        return isinstance(inner, faiss.IndexFlatIP)

    def _usable(self) -> bool:
        import faiss

        return isinstance(self._inner(), faiss.IndexRefine)

    def _flat(self) -> Any:  # noqa: ANN401 - as above
        import faiss

        inner = self._inner()
        return faiss.downcast_index(inner.refine_index) if self._usable() else inner

    def _cells(self) -> Any:  # noqa: ANN401 - as above
        import faiss

        return faiss.downcast_index(self._inner().base_index)

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        n = len(self._numbers) + len(vectors)
        held = int(self._cells().nlist) ** 2 if self._usable() else 0
        if n >= MINIMUM and n > _OUTGROWN * held:
            numbers, rows = np.concatenate([self._numbers, ids]), np.concatenate([self._matrix(), vectors])
            self._map = self._learnt(rows)
            self._map.add_with_ids(rows, numbers)
        else:
            if self._mapped:  # what is mapped from a file cannot grow; a copy can
                import faiss

                self._map = faiss.deserialize_index(faiss.serialize_index(self._map))
            self._map.add_with_ids(vectors, ids)
        self._mapped = False

    def _learnt(self, rows: NDArray[np.float32]) -> Any:  # noqa: ANN401 - as above
        """Learn cells and codewords; the index is still empty."""
        import faiss

        n_cells = int(np.sqrt(len(rows)))
        d, metric = self.dimension, faiss.METRIC_INNER_PRODUCT
        cells: Any = faiss.IndexIVFPQ(faiss.IndexFlatIP(d), d, n_cells, _code_bytes(d), 8, metric)
        cells.cp.seed = cells.pq.cp.seed = _SEED
        cells.cp.max_points_per_centroid = max(64, _TRAINING // n_cells)
        chosen = np.random.default_rng(_SEED).permutation(len(rows))[:_TRAINING]
        cells.train(rows[chosen])
        refined: Any = faiss.IndexRefine(cells, faiss.IndexFlatIP(d))
        made = faiss.IndexIDMap(refined)
        cells.nprobe, refined.k_factor = self.efforts[5]
        return made

    def _settings(self) -> dict[str, float]:
        if not self._usable():
            return {}
        cells = self._cells()
        return {
            "n_cells": cells.nlist,
            "code_bytes": cells.pq.code_size,
            "nprobe": cells.nprobe,
            "rescore": self._inner().k_factor,
        }

    def _try(self, effort: tuple[int, ...]) -> None:
        self._cells().nprobe, self._inner().k_factor = effort

    def _compared(self, times: float) -> float:
        """Count codes that are looked at; one costs about what a vector costs in a scan."""
        cells = self._cells()
        return float(times * cells.nprobe / cells.nlist * cells.ntotal)

    def _near(
        self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None, times: float
    ) -> tuple[Places, NDArray[np.float32]]:
        import faiss

        cells, matrix = self._cells(), self._matrix()
        depth = min(int(k * self._inner().k_factor), len(matrix))
        nprobe = min(int(np.ceil(times * cells.nprobe)), cells.nlist)
        parameters_of: Any = faiss.SearchParametersIVF
        with Selector(keep) as chosen:
            options: dict[str, Any] = {} if chosen is None else {"sel": chosen}
            parameters = parameters_of(nprobe=nprobe, **options)
            _, candidates = cells.search(queries, depth, params=parameters)
        places = np.full((len(queries), k), -1, np.int64)
        similarities = np.full((len(queries), k), -np.inf, np.float32)
        for start in range(0, len(queries), _BLOCK):
            block = slice(start, start + _BLOCK)
            scores = np.einsum("qcd,qd->qc", matrix[candidates[block]], queries[block])
            scores[candidates[block] < 0] = -np.inf
            best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            places[block, : best.shape[1]] = np.take_along_axis(candidates[block], best, axis=1)
            similarities[block, : best.shape[1]] = np.take_along_axis(scores, best, axis=1)
        return places, similarities


def _code_bytes(dimension: int) -> int:
    """Bytes of a code: one for two numbers, for three where two do not divide them, else one for each."""
    return next(dimension // each for each in (2, 3, 1) if dimension % each == 0)
