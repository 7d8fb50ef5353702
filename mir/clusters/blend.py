"""Several instruments as one space: vectors whose inner product is the combined similarity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mir.errors import BadRequest
from mir.spaces import read_vectors, space_of, transform_in

if TYPE_CHECKING:
    from mir.catalog import Catalog

By = Mapping[str, float] | str


@dataclass(frozen=True, slots=True)
class Blend:
    """Tracks that have all of some instruments, as unit vectors.

    Parameters
    ----------
    instruments
        What it is by, as the catalog writes it (`name_of`).
    weights
        By instrument, summing to 1.
    track_ids
        Shape ``(n,)``, rising.
    matrix
        Shape ``(n, d)``, float32, unit rows. The inner product of two rows is Σ wₛ·zₛ of `mir similar`, but for the
        same shift and scale for all pairs.
    """

    instruments: str
    weights: dict[str, float]
    track_ids: NDArray[np.int64]
    matrix: NDArray[np.float32]


def blend_weights(by: By) -> dict[str, float]:
    """Return weights that sum to 1, in the order of the instruments, so that equal wishes are written alike.

    Raises
    ------
    BadRequest
        Where an instrument is unknown, a weight is no number or negative, or none is positive.

    Examples
    --------
    >>> blend_weights("drums=1,vocals=3")
    {'vocals': 0.75, 'drums': 0.25}
    """
    from features import INSTRUMENTS
    from mir.similarity.weights import check_by, parse_by

    weights = parse_by(by) if isinstance(by, str) else check_by(by)
    negative = [name for name, weight in weights.items() if weight < 0]
    if negative:
        raise BadRequest(
            f"{negative[0]}={weights[negative[0]]:g}: a map or a cluster needs distances between all tracks, and being "
            "unlike is no distance; give weights above 0 (mir similar takes negative ones)"
        )
    total = sum(weights.values())
    return {name: weights[name] / total for name in INSTRUMENTS if name in weights}


def name_of(weights: Mapping[str, float]) -> str:
    """Write weights as the catalog has them.

    Examples
    --------
    >>> name_of({"drums": 1.0}), name_of({"vocals": 0.75, "drums": 0.25})
    ('drums', 'vocals=0.75,drums=0.25')
    """
    if len(weights) == 1:
        return next(iter(weights))
    return ",".join(f"{name}={weight:.6g}" for name, weight in weights.items())


def read_blend(catalog: Catalog, by: By) -> Blend:
    """Read the vectors of the instruments, scaled and side by side; tracks that lack one of them are left out.

    Raises
    ------
    BadRequest
        As `blend_weights`.
    """
    from mir.indexing import MemoryShelf
    from mir.similarity.ranking import chance_of

    weights = blend_weights(by)
    with catalog.read() as con:
        spaces = [space_of(instrument) for instrument in weights]
        vectors = [read_vectors(con, space, transform_in(con, space)) for space in spaces]
    track_ids = reduce(np.intersect1d, [one.track_ids for one in vectors])
    parts = []
    for weight, one in zip(weights.values(), vectors, strict=True):
        # A cosine counts in units of what is usual in its space, as in mir.similarity.
        gain = weight if len(weights) == 1 else weight / chance_of(MemoryShelf(one)).deviation
        parts.append(np.sqrt(gain) * one.matrix[np.searchsorted(one.track_ids, track_ids)])
    matrix = np.concatenate(parts, axis=1)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return Blend(name_of(weights), weights, track_ids, (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32))


def principal(matrix: NDArray[np.float32], n_components: int) -> tuple[NDArray[np.float64], float]:
    """Project onto the main directions of spread.

    Returns
    -------
    tuple of ndarray and float
        Shape ``(n, min(n_components, d))``, and the share of the variance that is kept, 0 to 1.
    """
    centred = matrix.astype(np.float64) - matrix.mean(axis=0, dtype=np.float64)
    values, directions = np.linalg.eigh(centred.T @ centred)
    kept = directions[:, ::-1][:, :n_components]
    # The sign of a direction is free: fixed here, so that a map is not mirrored from one run to the next.
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    total = float(values.sum())
    share = float(values[::-1][:n_components].sum()) / total if total > 0 else 1.0
    return centred @ kept, share
