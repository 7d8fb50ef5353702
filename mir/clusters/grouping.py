"""Which tracks belong together: HDBSCAN on the main directions, on a sample where there are very many tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mir.clusters.blend import principal

SAMPLE: Final = 20_000
"""Above this many tracks a sample is clustered and the rest assigned: HDBSCAN compares all pairs."""

SMALLEST: Final = 5
"""The least size of a cluster that is taken without being asked for."""

NOISE: Final = -1

_LARGEST_SHARE: Final = 0.5
"""No cluster holds more: one that holds nearly everything tells nothing, its parts do."""

_MOST_SAMPLES: Final = 10
_DIMENSIONS: Final = (3, 10)
_VOTERS: Final = 5


@dataclass(frozen=True, slots=True)
class Grouping:
    """Clusters numbered from 0, and how they were found.

    Parameters
    ----------
    labels
        Shape ``(n,)``; `NOISE` for tracks that belong nowhere.
    probabilities
        Shape ``(n,)``, 0 to 1; 0 for noise.
    nearest
        Shape ``(n,)``; the label, for noise that of the nearest track that has one; `NOISE` where there is no cluster.
    parameters
        What was done, for the record.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    nearest: NDArray[np.int64]
    parameters: dict[str, float | int | str]


def default_size(n: int) -> int:
    """Return the least size of a cluster for `n` tracks: about √n / 2."""
    return max(SMALLEST, round(np.sqrt(n) / 2))


def dimensions(n: int) -> int:
    """Return in how many directions `n` tracks are dense enough to tell crowds from gaps: log₂ n − 3, 3 to 10."""
    low, high = _DIMENSIONS
    return int(np.clip(np.floor(np.log2(max(n, 2))) - 3, low, high))


def group(matrix: NDArray[np.float32], track_ids: NDArray[np.int64], min_size: int | None = None) -> Grouping:
    """Find clusters.

    Parameters
    ----------
    matrix
        Unit vectors, shape ``(n, d)``.
    track_ids
        Shape ``(n,)``; they choose the sample, so that a library that grows keeps nearly all of its sample.
    min_size
        Least size of a cluster; `default_size` where it is None.

    References
    ----------
    R. Campello, D. Moulavi and J. Sander, "Density-based clustering based on hierarchical density estimates",
    PAKDD 2013.
    """
    n = len(matrix)
    least = default_size(n) if min_size is None else min_size
    sampled = _sample(track_ids)
    least_sampled = max(2, round(least * len(sampled) / max(n, 1)))
    min_samples = int(np.clip(least_sampled // 2, 1, _MOST_SAMPLES))
    parameters: dict[str, float | int | str] = {
        "method": "HDBSCAN", "min_size": least, "min_samples": min_samples, "sampled": len(sampled),
    }  # fmt: skip
    nowhere = np.full(n, NOISE, np.int64)
    if n < 2 * least:
        return Grouping(nowhere, np.zeros(n), nowhere.copy(), parameters)
    points, kept = principal(matrix, dimensions(len(sampled)))
    parameters |= {"dimensions": points.shape[1], "variance_kept": round(kept, 4)}
    labels, probabilities = _hdbscan(points[sampled], least_sampled, min_samples)
    return _spread(points, sampled, labels, probabilities, parameters)


def _sample(track_ids: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the places of the sample, rising: those whose scrambled id is smallest."""
    if len(track_ids) <= SAMPLE:
        return np.arange(len(track_ids))
    scrambled = track_ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.sort(np.argsort(scrambled, kind="stable")[:SAMPLE])


def _hdbscan(
    points: NDArray[np.float64], min_size: int, min_samples: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(
        min_cluster_size=min_size,
        min_samples=min_samples,
        max_cluster_size=max(min_size, int(_LARGEST_SHARE * len(points))),
        copy=True,
    ).fit(points)
    return found.labels_.astype(np.int64), found.probabilities_.astype(np.float64)


def _spread(
    points: NDArray[np.float64],
    sampled: NDArray[np.intp],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    parameters: dict[str, float | int | str],
) -> Grouping:
    """Give every track that was not in the sample what most of its neighbours there have, and noise its nearest."""
    from sklearn.neighbors import NearestNeighbors

    n = len(points)
    all_labels, all_probabilities = np.full(n, NOISE, np.int64), np.zeros(n)
    all_labels[sampled], all_probabilities[sampled] = labels, probabilities
    rest = np.setdiff1d(np.arange(n), sampled)
    if len(rest):
        near = (
            NearestNeighbors(n_neighbors=_VOTERS).fit(points[sampled]).kneighbors(points[rest], return_distance=False)
        )
        votes = labels[near]
        all_labels[rest] = [np.bincount(row + 1).argmax() - 1 for row in votes]
        agree = (votes == all_labels[rest, None]) & (votes != NOISE)
        all_probabilities[rest] = (probabilities[near] * agree).sum(axis=1) / _VOTERS
        parameters["assigned"] = len(rest)
    nearest = all_labels.copy()
    noise = np.flatnonzero(all_labels == NOISE)
    inside = sampled[labels != NOISE]
    if len(noise) and len(inside):
        found = NearestNeighbors(n_neighbors=1).fit(points[inside]).kneighbors(points[noise], return_distance=False)
        nearest[noise] = all_labels[inside[found[:, 0]]]
    return Grouping(all_labels, all_probabilities, nearest, parameters)
