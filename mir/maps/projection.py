"""From many numbers to two: UMAP, seeded; principal components for a handful of tracks."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mir.clusters.blend import principal
from mir.errors import BadRequest, ExtraMissing

if TYPE_CHECKING:
    from types import ModuleType

METHODS: Final = ("umap", "pca")

N_NEIGHBOURS: Final = 15
MIN_DIST: Final = 0.1
SEED: Final = 0

FEW: Final = 10
"""Below this many tracks neighbourhoods are nearly everything, and principal components are drawn."""


@dataclass(frozen=True, slots=True)
class Near:
    """The nearest tracks of every track, itself left out, nearest first.

    Parameters
    ----------
    places
        Shape ``(n, k)``: rows of the matrix that was searched.
    similarities
        Shape ``(n, k)``, inner products.
    """

    places: NDArray[np.int64]
    similarities: NDArray[np.float32]


def choose(n: int, method: str | None) -> str:
    """Return the method for `n` tracks: as asked for, else by their number.

    Raises
    ------
    BadRequest
        Where there is no such method.
    """
    if method is not None and method not in METHODS:
        raise BadRequest(f"no method {method!r}; there are {', '.join(METHODS)}")
    return "pca" if n < FEW else method or "umap"


def parameters(method: str, n: int) -> dict[str, Any]:
    """Return all that a projection hangs on besides the vectors.

    Raises
    ------
    ExtraMissing
        Where UMAP is asked for and not installed.
    """
    if method == "pca":
        return {"method": "pca"}
    from importlib.metadata import PackageNotFoundError, version

    try:
        umap_version = version("umap-learn")
    except PackageNotFoundError:
        raise ExtraMissing(
            'a map is drawn by UMAP, which is not installed: pip install "mir-stems[maps]" (or draw plain principal '
            "components: --method pca)"
        ) from None
    return {
        "method": "umap",
        "n_neighbors": min(N_NEIGHBOURS, n - 1),
        "min_dist": MIN_DIST,
        "seed": SEED,
        "version": umap_version,
    }


def nearest(matrix: NDArray[np.float32], k: int) -> Near:
    """Find the `k` nearest of every unit vector, exactly; fewer where there are fewer."""
    from indexes import ExactIndex

    n = len(matrix)
    k = max(0, min(k, n - 1))
    if not k:
        return Near(np.empty((n, 0), np.int64), np.empty((n, 0), np.float32))
    index = ExactIndex(matrix.shape[1])
    index.add(np.arange(n), matrix)
    found = index.search(matrix, k + 1)
    # A twin of equal vector may come before the track itself: what is left out is the track, wherever it stands.
    own = found.ids == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    return Near(found.ids[~own].reshape(n, k), found.similarities[~own].reshape(n, k))


def project(matrix: NDArray[np.float32], wanted: dict[str, Any]) -> tuple[NDArray[np.float64], Near | None]:
    """Give every unit vector a place on a plane.

    Parameters
    ----------
    matrix
        Shape ``(n, d)``.
    wanted
        As `parameters` returned it.

    Returns
    -------
    tuple of ndarray and Near
        Shape ``(n, 2)``, the same every time on one machine; and the neighbours, where they had to be found.

    References
    ----------
    L. McInnes, J. Healy and J. Melville, "UMAP: uniform manifold approximation and projection for dimension
    reduction", arXiv:1802.03426, 2018.
    """
    n = len(matrix)
    if wanted["method"] == "pca":
        points = principal(matrix, 2)[0] if n else np.empty((0, 2))
        return np.pad(points, ((0, 0), (0, 2 - points.shape[1]))), None
    near = nearest(matrix, wanted["n_neighbors"] - 1)
    # UMAP counts a point as the first of its own neighbours.
    places = np.column_stack([np.arange(n), near.places]).astype(np.int32)
    distances = np.sqrt(np.maximum(2.0 - 2.0 * near.similarities.astype(np.float64), 0.0))
    distances = np.column_stack([np.zeros(n), distances]).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one thread is used, and that no new points can be added
        reducer = _umap().UMAP(
            n_neighbors=wanted["n_neighbors"],
            min_dist=wanted["min_dist"],
            random_state=wanted["seed"],
            n_jobs=1,
            init="pca",
            precomputed_knn=(places, distances),
        )
        return np.asarray(reducer.fit_transform(matrix), np.float64), near


def _umap() -> ModuleType:
    with _without_tensorflow():
        import umap
    return umap


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keep UMAP from loading TensorFlow for its parametric variant, which nothing here uses: it costs seconds."""
    if "tensorflow" in sys.modules or "umap" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # how Python says: do not import
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
