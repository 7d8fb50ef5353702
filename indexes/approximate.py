"""What approximate indexes share: full vectors beside the shortcut, tombstones, filters, measured effort."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import NO_ID, Index, Neighbours, refuse_absent
from indexes.errors import IndexDamaged
from indexes.files import read_faiss
from indexes.manifest import REBUILD

Places = NDArray[np.int64]
"""Where vectors lie, 0 … n − 1 in the order in which they came; −1 for none."""

FEW: Final = 0.05
"""Where a filter keeps less than this share, what it keeps is compared one by one."""

MOST_REMOVED: Final = 0.1
"""Share of removed vectors beyond which the index is made anew from those that are left."""

TARGET_RECALL: Final = 0.985
"""What `tune` asks for: of the ten true neighbours, the share that is found."""

_K: Final = 10
_SAMPLE: Final = 500
_SEED: Final = 500


class ApproximateIndex(Index):
    """An index that compares a query with some of its vectors, chosen well.

    All vectors are kept whole: what is found is scored with them, and where a shortcut does not pay (a filter
    that keeps little, a deep search) every one that may answer is compared. A removed vector stays as a tombstone,
    which never answers.
    """

    exact: ClassVar[bool] = False

    efforts: ClassVar[tuple[tuple[int, ...], ...]]
    """How hard a search may try, rising; `tune` takes the first that reaches `TARGET_RECALL`."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self._numbers: Places = np.empty(0, np.int64)
        self._n_removed = 0
        self._order: tuple[Places, Places] | None = None
        self._recall: float | None = None
        self._map: Any = self._empty_map()

    def __len__(self) -> int:
        return len(self._numbers) - self._n_removed

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order in which they were added, shape ``(n,)``."""
        return self._numbers[self._numbers >= 0]

    @property
    def removed(self) -> int:
        """How many tombstones there are."""
        return self._n_removed

    @property
    def parameters(self) -> dict[str, float]:
        """What the index was built with, and the recall that `tune` measured."""
        measured = {} if self._recall is None else {"recall_at_10": round(self._recall, 4)}
        return {**self._settings(), **measured}

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return stored vectors by id, shape ``(len(ids), dimension)``.

        Raises
        ------
        VectorsInvalid
            Where an id is not here.
        """
        wanted = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        places = self._places(wanted)
        refuse_absent(wanted[places < 0])
        return self._matrix()[places]

    def tune(self) -> None:
        """Take the least effort that finds 98.5 % of ten true neighbours.

        A vector of the index itself is found too easily to tell: asked with are a + b − v of a vector v and two of its
        neighbours, which need about the effort of vectors that were left out (measured on two kinds of vectors; half
        way between neighbours needs less). What was measured is in `parameters`, also where no effort was enough.
        """
        if len(self) <= _K or not self._usable():
            return
        keep = self._kept(None, None)
        queries = self._newcomers(keep)
        truth, _ = self._scan(queries, _K, keep)
        for effort in self.efforts:
            self._try(effort)
            found, _ = self._near(queries, _K, keep, 1.0)
            hits = (found[:, :, None] == truth[:, None, :]) & (truth[:, None, :] >= 0)
            self._recall = float(hits.any(axis=1).sum() / (truth >= 0).sum())
            if self._recall >= TARGET_RECALL:
                break

    def write(self, path: Path) -> None:
        """Write FAISS's own file format: the index under a map of ids, −1 for what was removed."""
        import faiss

        faiss.copy_array_to_vector(self._numbers, self._map.id_map)
        faiss.write_index(self._map, str(path))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        IndexDamaged
            Where FAISS makes no index of this kind of the file.
        FileNotFoundError
            Where there is no file.
        """
        import faiss

        loaded = read_faiss(path, cls._reading_flags())
        if type(loaded) is not faiss.IndexIDMap or not cls._ours(faiss.downcast_index(loaded.index)):
            raise IndexDamaged(f"{path} is no {cls.kind} index; {REBUILD}")
        index = cls(int(loaded.d))
        index._map = loaded
        index._numbers = np.array(faiss.vector_to_array(loaded.id_map), dtype=np.int64)
        index._n_removed = int((index._numbers < 0).sum())
        if len(index._numbers) != loaded.index.ntotal:
            raise IndexDamaged(f"{path} has {len(index._numbers)} ids for {loaded.index.ntotal} vectors; {REBUILD}")
        return index

    def _add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._append(ids, vectors)
        self._numbers = np.concatenate([self._numbers, ids])
        self._order = None

    def _remove(self, ids: NDArray[np.int64]) -> None:
        self._numbers[self._places(ids)] = NO_ID
        self._n_removed += len(ids)
        self._order = None
        if self.removed > MOST_REMOVED * len(self._numbers):
            self._make_anew()

    def _make_anew(self) -> None:
        """Build again from the vectors that are left; ids keep their order."""
        ids, rows = self.ids, self._matrix()[self._numbers >= 0]
        self._map = self._empty_map()
        self._numbers, self._n_removed = np.empty(0, np.int64), 0
        self._order = self._recall = None
        if len(ids):
            self._add(ids, rows)

    def _search(
        self,
        queries: NDArray[np.float32],
        k: int,
        exclude: NDArray[np.int64] | None,
        allowed: NDArray[np.int64] | None,
        *,
        exhaustive: bool,
    ) -> Neighbours:
        keep = self._kept(exclude, allowed)
        n = len(self._numbers)
        left = n if keep is None else int(keep.sum())
        effort = max(1.0, k / _K) * n / max(left, 1)
        if exhaustive or left < FEW * n or not self._usable() or self._compared(effort) > n:
            places, similarities = self._scan(queries, k, keep)
        else:
            places, similarities = self._near(queries, k, keep, effort)
            short = places[:, min(k, left) - 1] < 0
            if short.any():
                places[short], similarities[short] = self._scan(queries[short], k, keep)
        return Neighbours(np.where(places < 0, NO_ID, self._numbers[places]), similarities)

    def _kept(self, exclude: NDArray[np.int64] | None, allowed: NDArray[np.int64] | None) -> NDArray[np.bool_] | None:
        """Tell by place what may answer, shape ``(n,)``; None where everything may."""
        barred = exclude if exclude is not None else np.empty(0, np.int64)
        if allowed is None and not len(barred) and not self._n_removed:
            return None
        alive = self._numbers >= 0
        if allowed is not None:
            keep = np.zeros(len(alive), np.bool_)
            places = self._places(allowed)
            keep[places[places >= 0]] = True
        else:
            keep = alive
        places = self._places(barred)
        keep[places[places >= 0]] = False
        return None if keep.all() else keep

    def _places(self, ids: NDArray[np.int64]) -> Places:
        """Return where ids lie, −1 where they are not here."""
        if self._order is None:
            alive = np.flatnonzero(self._numbers >= 0)
            order = alive[np.argsort(self._numbers[alive])]
            self._order = (order, self._numbers[order])
        order, numbers = self._order
        if not len(order):
            return np.full(len(ids), NO_ID)
        at = np.minimum(np.searchsorted(numbers, ids), len(numbers) - 1)
        return np.where(numbers[at] == ids, order[at], NO_ID)

    def _matrix(self) -> NDArray[np.float32]:
        """Look at all vectors by place, ``(n, dimension)``, where FAISS has them: copy what is to last."""
        import faiss

        flat = self._flat()
        if not flat.ntotal:
            return np.empty((0, self.dimension), np.float32)
        seen = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * self.dimension)
        return np.asarray(seen, dtype=np.float32).reshape(-1, self.dimension)

    def _scan(
        self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None
    ) -> tuple[Places, NDArray[np.float32]]:
        """Compare everything that may answer."""
        import faiss

        parameters_of: Any = faiss.SearchParameters
        with Selector(keep) as chosen:
            parameters = None if chosen is None else parameters_of(sel=chosen)
            similarities, places = self._flat().search(queries, k, params=parameters)
        return np.asarray(places, dtype=np.int64), np.asarray(similarities, dtype=np.float32)

    def _newcomers(self, keep: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Make vectors that might be added next: a + b − v, of sampled v and two of its ten neighbours, shortened."""
        random = np.random.default_rng(_SEED)
        alive = np.flatnonzero(self._numbers >= 0)
        sample = self._matrix()[random.choice(alive, min(_SAMPLE, len(alive)), replace=False)]
        places, _ = self._scan(sample, _K + 1, keep)
        a, b = (
            np.take_along_axis(places, random.integers(1, _K + 1, (len(places), 1)), axis=1)[:, 0] for _ in range(2)
        )
        made = self._matrix()[a] + self._matrix()[b] - sample
        norms = np.linalg.norm(made, axis=1, keepdims=True)
        return np.ascontiguousarray(made / np.where(norms > 0, norms, 1.0), dtype=np.float32)

    def _inner(self) -> Any:  # noqa: ANN401 - FAISS's classes have no types
        import faiss

        return faiss.downcast_index(self._map.index)

    def _usable(self) -> bool:
        """Whether the shortcut exists yet."""
        return True

    @classmethod
    def _reading_flags(cls) -> int:
        """FAISS's flags for reading a file."""
        return 0

    @abstractmethod
    def _empty_map(self) -> Any:  # noqa: ANN401 - as above
        """Make the empty index under its map of ids (``IndexIDMap``)."""

    @classmethod
    @abstractmethod
    def _ours(cls, inner: Any) -> bool:  # noqa: ANN401 - as above
        """Whether FAISS's index is one that this class wrote."""

    @abstractmethod
    def _flat(self) -> Any:  # noqa: ANN401 - as above
        """Return FAISS's ``IndexFlatIP`` of all vectors by place."""

    @abstractmethod
    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add to FAISS's index, whose next place is ``len(self._numbers)``."""

    @abstractmethod
    def _settings(self) -> dict[str, float]:
        """What the index was built with and how hard it tries, by name."""

    @abstractmethod
    def _try(self, effort: tuple[int, ...]) -> None:
        """Search with one of `efforts` from now on."""

    @abstractmethod
    def _compared(self, times: float) -> float:
        """Vectors that a scan could compare while one search with `times` the tuned effort runs."""

    @abstractmethod
    def _near(
        self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None, times: float
    ) -> tuple[Places, NDArray[np.float32]]:
        """Find neighbours by the shortcut with `times` the tuned effort: places and true similarities."""


class Selector:
    """FAISS's selector of places, for as long as a search runs: FAISS itself keeps pointers only."""

    def __init__(self, keep: NDArray[np.bool_] | None) -> None:
        self._bits = None if keep is None else np.packbits(keep, bitorder="little")

    def __enter__(self) -> Any:  # noqa: ANN401 - as above
        import faiss

        selector_of: Any = faiss.IDSelectorBitmap
        self._selector = None if self._bits is None else selector_of(self._bits)
        return self._selector

    def __exit__(self, *_: object) -> None:
        self._selector = None
