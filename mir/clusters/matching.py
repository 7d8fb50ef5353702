"""Ids that last: a cluster that is found again keeps its number, whatever else has come or gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAME: Final = 0.25
"""Least share of tracks (of those in either, among tracks known then and now) for two clusters to be the same."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Id of each new cluster, by label, and the next id to give."""

    ids: tuple[int, ...]
    next_id: int


def number(
    track_ids: NDArray[np.int64], labels: NDArray[np.int64], before: Mapping[int, int | None], next_id: int
) -> Numbering:
    """Number clusters: by the old ones that they share most tracks with, else by new ids, the largest first.

    Parameters
    ----------
    track_ids, labels
        The new clustering: shape ``(n,)`` each; labels from 0, −1 for noise.
    before
        Track → id of its cluster in the last clustering, None for noise; tracks that are new are not in it.
    next_id
        The first id that was never given.
    """
    n_new = int(labels.max(initial=-1)) + 1
    known = [before.get(track_id, 0) for track_id in track_ids.tolist()]
    old = np.array([0 if each is None else each for each in known], np.int64)
    shared_tracks = np.array([track_id in before for track_id in track_ids.tolist()], np.bool_)
    old_ids = np.unique(old[old > 0])
    ids = [0] * n_new
    if n_new and len(old_ids):
        from scipy.optimize import linear_sum_assignment

        likeness = np.array(
            [_likeness(labels[shared_tracks] == label, old[shared_tracks], old_ids) for label in range(n_new)]
        )
        for label, place in zip(*linear_sum_assignment(-likeness), strict=True):
            if likeness[label, place] >= SAME:
                ids[label] = int(old_ids[place])
    sizes = np.bincount(labels[labels >= 0], minlength=n_new)
    for label in np.argsort(-sizes, kind="stable").tolist():
        if not ids[label]:
            ids[label], next_id = next_id, next_id + 1
    return Numbering(tuple(ids), next_id)


def _likeness(inside: NDArray[np.bool_], old: NDArray[np.int64], old_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Jaccard index of one new cluster with every old one, shape ``(len(old_ids),)``."""
    at = np.searchsorted(old_ids, old)
    counted = np.bincount(at[old > 0], minlength=len(old_ids))
    both = np.bincount(at[inside & (old > 0)], minlength=len(old_ids))
    return both / np.maximum(inside.sum() + counted - both, 1)
