"""Scores from confusion counts, and how sure one may be of them: a bootstrap over artists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mir.genre.folds import Labels

Counts = NDArray[np.float64]

_RESAMPLES = 2000

_MOST_ARTISTS = 4000
"""Artists that are counted one by one: a bootstrap over more takes memory and is no surer."""


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy and macro-F1 (0…1) with 95 % intervals from a bootstrap over artists."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
        }


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label's row in the table; precision, recall and F1 in 0…1."""

    label: str
    tracks: int
    artists: int
    precision: float
    recall: float
    f1: float


def confusions(
    truth: Labels,
    guesses: Sequence[Labels],
    groups: Labels,
    labels: Sequence[str],
    further: Sequence[Sequence[str]] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> Counts:
    """Count truth against guess for each artist, averaged over repeats.

    Parameters
    ----------
    truth, groups
        Label and artist by row, shape ``(n,)``.
    guesses
        One array of shape ``(n,)`` a repeat.
    labels
        Row and column order.
    further
        Further genres of each row: a guess that is one of them is right, and the row counts as that genre's.
    weights
        What each row counts, shape ``(n,)``; None: 1.

    Returns
    -------
    NDArray
        Shape ``(n_artists, n_labels, n_labels)``; axis 1 is the truth. Sums to the weights. More than 4000 artists are
        put together at random, into 4000 that are as independent as they were.
    """
    position = {label: index for index, label in enumerate(labels)}
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) > _MOST_ARTISTS:
        group_of = (np.random.default_rng(0).permutation(len(names)) % _MOST_ARTISTS)[group_of]
    counts = np.zeros((min(len(names), _MOST_ARTISTS), len(labels), len(labels)))
    share = np.full(len(truth), 1.0 / len(guesses)) if weights is None else weights / len(guesses)
    for guess in guesses:
        true = guess_or_label(truth, guess, further)
        rows, columns = (np.array([position[label] for label in each.tolist()]) for each in (true, guess))
        np.add.at(counts, (group_of, rows, columns), share)
    return counts


def guess_or_label(truth: Labels, guess: Labels, further: Sequence[Sequence[str]] | None) -> Labels:
    """Return what each row counts as, shape ``(n,)``: the guess where it is one of its genres, else its label."""
    if further is None or not any(further):
        return truth
    other = [said in more for said, more in zip(guess.tolist(), further, strict=True)]
    return np.where(other, guess, truth)


def score(counts: Counts, seed: int) -> Score:
    """Return the scores of confusion counts as `confusions` makes them."""
    accuracy, macro_f1 = plain_score(counts)
    accuracies, f1s = _resampled(counts, seed)
    return Score(accuracy, _interval(accuracies), macro_f1, _interval(f1s))


def plain_score(counts: Counts) -> tuple[float, float]:
    """Return accuracy and macro-F1, without intervals."""
    total = counts.sum(axis=0)[None]
    return float(_accuracy(total)[0]), float(_macro_f1(total)[0])


def difference(counts: Counts, other: Counts, seed: int) -> dict[str, Any]:
    """Return how much better `counts` scores than `other` on the same tracks, with paired 95 % intervals."""
    accuracies, f1s = (a - b for a, b in zip(_resampled(counts, seed), _resampled(other, seed), strict=True))
    (accuracy, macro_f1), (other_accuracy, other_macro_f1) = plain_score(counts), plain_score(other)
    return {
        "accuracy": accuracy - other_accuracy,
        "accuracy_interval": list(_interval(accuracies)),
        "macro_f1": macro_f1 - other_macro_f1,
        "macro_f1_interval": list(_interval(f1s)),
    }


def surely_better(counts: Counts, other: Counts, seed: int, chances: int) -> bool:
    """Return whether `counts`, the best of several, has a higher macro-F1 than `other` beyond doubt.

    That is: the paired interval by artist of their difference is above 0, where one of so many comparisons of equals
    would be found better by chance in 2.5 % of cases at most (Bonferroni's correction).

    Parameters
    ----------
    counts, other
        As `confusions` makes them, of the same tracks.
    seed
        Draws the artists.
    chances
        How many were compared with `other`, at least 1.
    """
    gains = _resampled(counts, seed)[1] - _resampled(other, seed)[1]
    return bool(np.quantile(gains, 0.025 / chances) > 0.0)


def label_scores(counts: Counts, artists: Mapping[str, int]) -> tuple[LabelScore, ...]:
    """Return the table of single labels; precision is 0 for a label that was never guessed.

    Parameters
    ----------
    counts
        As `confusions` makes them.
    artists
        Number of artists by label, in the order of `counts`.
    """
    total = counts.sum(axis=0)
    rows = []
    for index, (label, n_artists) in enumerate(artists.items()):
        hits, true, guessed = total[index, index], total[index].sum(), total[:, index].sum()
        rows.append(
            LabelScore(
                label,
                round(float(true)),
                n_artists,
                float(hits / guessed) if guessed else 0.0,
                float(hits / true) if true else 0.0,
                float(2 * hits / (true + guessed)) if true + guessed else 0.0,
            )
        )
    return tuple(rows)


def _resampled(counts: Counts, seed: int) -> tuple[Counts, Counts]:
    """Accuracy and macro-F1 of draws of artists with replacement; the same draws for the same seed."""
    n_artists, n_labels, _ = counts.shape
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_artists, np.full(n_artists, 1.0 / n_artists), size=_RESAMPLES)
    totals = (draws.astype(np.float64) @ counts.reshape(n_artists, -1)).reshape(_RESAMPLES, n_labels, n_labels)
    return _accuracy(totals), _macro_f1(totals)


def _accuracy(totals: Counts) -> Counts:
    return np.trace(totals, axis1=1, axis2=2) / totals.sum(axis=(1, 2))


def _macro_f1(totals: Counts) -> Counts:
    """Mean F1 over the labels that occur (a draw of artists may miss one), shape ``(k,)``."""
    hits = np.diagonal(totals, axis1=1, axis2=2)
    true, guessed = totals.sum(axis=2), totals.sum(axis=1)
    f1 = 2 * hits / np.maximum(true + guessed, 1e-12)
    return np.where(true > 0, f1, 0.0).sum(axis=1) / np.maximum((true > 0).sum(axis=1), 1)


def _interval(values: Counts) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
