"""Scores of ranked lists, chance beside them, and intervals that know that queries of one artist are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEPTH: Final = 10
"""How far down a list `recall_at_10` looks."""

RESAMPLES: Final = 2000
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a fixed list of queries; shape ``(n_queries,)`` each, 0 to 1.

    Parameters
    ----------
    groups
        Whom each query belongs to: intervals draw these with replacement.
    average_precision
        Mean over the relevant ones of the precision at each one's place.
    hit_at_1
        1 where the first answer is relevant.
    recall_at_10
        Share of the relevant ones among the first ten, of the ten that there can be at most.
    chance
        Average precision that a random order is expected to have.
    missing
        True where a query has no description in the space: its scores are 0.
    """

    groups: NDArray[np.str_]
    average_precision: Matrix
    hit_at_1: Matrix
    recall_at_10: Matrix
    chance: Matrix
    missing: Flags

    @classmethod
    def collect(cls, groups: list[str], rows: list[tuple[float, float, float]], chance: list[float]) -> Scores:
        """Put together what `score_order` gave for each query; a row of NaN is a missing one."""
        table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
        missing: Flags = np.asarray(np.isnan(table).any(axis=1))
        table[missing] = 0.0
        return cls(np.array(groups, dtype=np.str_), table[:, 0], table[:, 1], table[:, 2], np.array(chance), missing)

    @property
    def mean(self) -> float:
        """Mean average precision."""
        return float(self.average_precision.mean())

    def to_plain(self) -> dict[str, object]:
        """Return the means, intervals and counts, as JSON has them."""
        return {
            "map": self.mean,
            "map_interval": list(interval(self.average_precision, self.groups)),
            "hit_at_1": float(self.hit_at_1.mean()),
            "recall_at_10": float(self.recall_at_10.mean()),
            "chance_map": float(self.chance.mean()),
            "queries": len(self.groups),
            "artists": len(set(self.groups.tolist())),
            "missing": int(self.missing.sum()),
        }


MISSING: Final = (float("nan"), float("nan"), float("nan"))
"""Row of a query that has no description."""


def score_order(relevant: ArrayLike, n_relevant: int) -> tuple[float, float, float]:
    """Score one ranked list.

    Parameters
    ----------
    relevant
        Whether each answer is relevant, best first, shape ``(n,)``.
    n_relevant
        How many there are to be found, those that no list can hold (tracks without the space) among them.

    Returns
    -------
    average precision, hit at 1, recall at 10
        0 to 1 each.

    Examples
    --------
    >>> score_order([True, False, True], 2)
    (0.8333333333333333, 1.0, 1.0)
    """
    hits = np.asarray(relevant, dtype=np.bool_)
    ranks = np.flatnonzero(hits) + 1
    precision = float(np.sum(np.arange(1, ranks.size + 1) / ranks) / n_relevant)
    return precision, float(hits[:1].any()), float(hits[:DEPTH].sum() / min(n_relevant, DEPTH))


def expected_precision(n_relevant: int, n_candidates: int) -> float:
    """Average precision that a random order of all candidates has on the average.

    References
    ----------
    Y. Bestgen, "Exact expected average precision of the random baseline for system evaluation", Prague Bulletin of
    Mathematical Linguistics 103, 2015.
    """
    if n_candidates < 1:
        return 0.0
    harmonic = float(np.sum(1.0 / np.arange(1, n_candidates + 1)))
    others = (n_relevant - 1) / max(n_candidates - 1, 1)
    return (harmonic + others * (n_candidates - harmonic)) / n_candidates


def interval(values: Matrix, groups: NDArray[np.str_] | list[str], *, seed: int = _SEED) -> tuple[float, float]:
    """Give the 95 % bootstrap interval of a mean, whole groups drawn with replacement.

    Parameters
    ----------
    values
        Shape ``(n,)``: a score a query, or a difference of two scores (then the interval is a paired one).
    groups
        Whom each value belongs to.

    References
    ----------
    A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge 1997, section 3.8.
    """
    names = np.asarray(groups)
    members = [values[names == name] for name in np.unique(names)]
    sums, sizes = np.array([each.sum() for each in members]), np.array([each.size for each in members])
    drawn = np.random.default_rng(seed).integers(0, len(members), (RESAMPLES, len(members)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


def difference(a: Scores, b: Scores) -> dict[str, object]:
    """Compare two ways of answering the same queries: mean difference of average precision, paired interval.

    Raises
    ------
    ValueError
        Where they do not answer the same queries.
    """
    if not np.array_equal(a.groups, b.groups):
        raise ValueError(f"{len(a.groups)} and {len(b.groups)} queries: only answers to the same queries are compared")
    gain = a.average_precision - b.average_precision
    return {"map": float(gain.mean()), "map_interval": list(interval(gain, a.groups))}
