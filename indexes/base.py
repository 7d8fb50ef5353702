"""What every index can do, and the checks that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.errors import VectorsInvalid

METRIC: Final = "inner_product"
"""The one metric there is: the inner product, which is the cosine where rows are unit vectors."""

NO_ID: Final = -1
"""Fills the ids of a row that has fewer than `k` neighbours."""

_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Answer to a search, nearest first.

    Parameters
    ----------
    ids
        Shape ``(n_queries, k)``, int64; ``-1`` where there are fewer than `k` neighbours.
    similarities
        Shape ``(n_queries, k)``, float32 in −1 … 1, falling along each row; ``-inf`` where the id is ``-1``.
    """

    ids: NDArray[np.int64]
    similarities: NDArray[np.float32]


class Index(ABC):
    """Unit vectors under the caller's ids, searched by inner product (larger is nearer).

    Parameters
    ----------
    dimension
        Length of every vector.
    """

    kind: ClassVar[str]
    """Name of the class in manifests."""

    exact: ClassVar[bool]
    """Whether a search returns the true neighbours, always."""

    def __init__(self, dimension: int) -> None:
        if dimension < 1:
            raise VectorsInvalid(f"an index needs a dimension of 1 or more, not {dimension}")
        self.dimension = dimension

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors under their ids.

        Parameters
        ----------
        ids
            Shape ``(n,)``, whole numbers ≥ 0, none of them here already.
        vectors
            Shape ``(n, dimension)``; unit rows (a row of zeros is let in: it is similar to nothing).

        Raises
        ------
        VectorsInvalid
            Where shapes, ids or lengths are not as said.
        """
        matrix, numbers = self._rows(vectors), np.atleast_1d(np.asarray(ids))
        if numbers.ndim != 1 or len(numbers) != len(matrix):
            raise VectorsInvalid(f"{len(matrix)} vectors need as many ids, not shape {numbers.shape}")
        if not np.issubdtype(numbers.dtype, np.integer) and len(numbers):
            raise VectorsInvalid(f"ids are whole numbers, not {numbers.dtype}")
        if len(numbers) and numbers.min() < 0:
            raise VectorsInvalid(f"ids are 0 or more, not {numbers.min()}")
        twice = len(np.unique(numbers)) < len(numbers) or np.isin(numbers, self.ids).any()
        if twice:
            raise VectorsInvalid("an id names one vector; some of these are given twice or are in the index")
        if len(numbers):
            self._add(numbers.astype(np.int64), matrix)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; an id may come again afterwards, with another vector.

        Raises
        ------
        VectorsInvalid
            Where an id is not here.
        """
        numbers = np.unique(np.asarray(ids, dtype=np.int64))
        refuse_absent(numbers[~np.isin(numbers, self.ids)])
        if len(numbers):
            self._remove(numbers)

    @property
    def parameters(self) -> dict[str, float]:
        """What the index was built with and what was measured of it, by name; empty where nothing was."""
        return {}

    def search(
        self,
        queries: ArrayLike,
        k: int,
        *,
        exclude: ArrayLike | None = None,
        allowed: ArrayLike | None = None,
        exhaustive: bool = False,
    ) -> Neighbours:
        """Find the nearest vectors of each query.

        Parameters
        ----------
        queries
            Shape ``(n_queries, dimension)``; unit rows.
        k
            How many neighbours a query gets; rows are filled up with ``-1`` where there are fewer.
        exclude
            Ids that are no answer.
        allowed
            Ids that alone are answers, less those of `exclude`; all of them where this is None.
        exhaustive
            Whether to compare every vector that may answer, also where the index knows a shortcut.

        Raises
        ------
        VectorsInvalid
            Where the queries have another dimension or `k` is less than 1.
        """
        if k < 1:
            raise VectorsInvalid(f"k is 1 or more, not {k}")
        matrix = self._rows(queries)
        found = min(k, len(self))
        ids = np.full((len(matrix), k), NO_ID, dtype=np.int64)
        similarities = np.full((len(matrix), k), -np.inf, dtype=np.float32)
        if found and len(matrix):
            answer = self._search(matrix, found, _ids(exclude), _ids(allowed), exhaustive=exhaustive)
            ids[:, :found] = answer.ids
            similarities[:, :found] = np.where(answer.ids == NO_ID, -np.inf, answer.similarities)
        return Neighbours(ids, similarities)

    def _rows(self, vectors: ArrayLike) -> NDArray[np.float32]:
        """Check and copy vectors to C-contiguous float32, shape ``(n, dimension)``."""
        matrix = np.ascontiguousarray(vectors, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != self.dimension:
            raise VectorsInvalid(f"vectors of shape (n, {self.dimension}) are needed, not {matrix.shape}")
        norms = np.linalg.norm(matrix, axis=1)
        if not ((np.abs(norms - 1) < _NORM_TOLERANCE) | (norms == 0)).all():
            raise VectorsInvalid("vectors are finite and of length 1; divide each row by its norm first")
        return matrix

    @abstractmethod
    def __len__(self) -> int:
        """Count the vectors."""

    @property
    @abstractmethod
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order in which they were added, shape ``(n,)``."""

    @abstractmethod
    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return stored vectors by id, shape ``(len(ids), dimension)``.

        Raises
        ------
        VectorsInvalid
            Where an id is not here.
        """

    @abstractmethod
    def tune(self) -> None:
        """Measure how much search this index needs, and keep it; nothing where every vector is compared."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the index to one file."""

    @classmethod
    @abstractmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        IndexDamaged
            Where the file is none of ours.
        FileNotFoundError
            Where there is no file.
        """

    @abstractmethod
    def _add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add checked vectors."""

    @abstractmethod
    def _remove(self, ids: NDArray[np.int64]) -> None:
        """Remove ids that are here, each given once."""

    @abstractmethod
    def _search(
        self,
        queries: NDArray[np.float32],
        k: int,
        exclude: NDArray[np.int64] | None,
        allowed: NDArray[np.int64] | None,
        *,
        exhaustive: bool,
    ) -> Neighbours:
        """Search with checked arguments; there is at least one vector, and `k` ≤ their count."""


def refuse_absent(ids: NDArray[np.int64]) -> None:
    """Say that these ids have no vector, where there are any.

    Raises
    ------
    VectorsInvalid
        Where there are.
    """
    if len(ids):
        raise VectorsInvalid(f"no vector under {len(ids)} of these ids, {ids[0]} among them")


def _ids(ids: ArrayLike | None) -> NDArray[np.int64] | None:
    return None if ids is None else np.atleast_1d(np.asarray(ids, dtype=np.int64))
