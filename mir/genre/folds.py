"""Folds that keep an artist together, so that no score comes from recognising the singer or the studio."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mir.errors import TooFewLabels

Labels = NDArray[np.str_]
Rows = NDArray[np.int64]

_ATTEMPTS = 20
"""Shuffles tried until every label is learned wherever it is tested."""

_MANY_GROUPS = 2000
"""Groups above which they are dealt out label by label; the careful search takes time that grows with them."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Train and test rows of each fold, and what has to be said about them.

    Parameters
    ----------
    splits
        (train, test) row numbers; the tests partition all rows.
    statements
        Sentences for the report: fewer folds than asked for, labels tested where they were not learned.
    """

    splits: tuple[tuple[Rows, Rows], ...]
    statements: tuple[str, ...]


def grouped_folds(labels: Labels, groups: Labels, n_folds: int, seed: int) -> Folds:
    """Split rows into folds: no group on both sides, labels spread evenly.

    Parameters
    ----------
    labels, groups
        Genre and artist of each row, shape ``(n,)``.
    n_folds
        Wanted number of folds, at least 2; with as many as groups, or more, each group is a fold of its own.
    seed
        Shuffles the groups.

    Raises
    ------
    TooFewLabels
        Where all rows belong to one group.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    largest = int(np.unique(labels, return_counts=True)[1].max(initial=0))
    n = min(n_folds, n_groups, largest)
    if n < 2:
        raise TooFewLabels(
            f"{len(labels)} labelled tracks by {n_groups} artist(s) cannot be split by artist; "
            "label tracks of at least two artists a genre"
        )
    if n_folds >= n_groups:
        alone = tuple((np.flatnonzero(groups != each), np.flatnonzero(groups == each)) for each in np.unique(groups))
        unlearned = sorted({each for train, test in alone for each in _unlearned(labels, train, test)})
        return Folds(alone, _statements(labels, groups, n_folds, n_groups, unlearned))
    if n_groups > _MANY_GROUPS:
        dealt = _deal(labels, groups, n, seed)
        unlearned = sorted({each for train, test in dealt for each in _unlearned(labels, train, test)})
        return Folds(dealt, _statements(labels, groups, n_folds, n, unlearned))
    best: tuple[tuple[Rows, Rows], ...] = ()
    fewest: list[str] | None = None
    for attempt in range(_ATTEMPTS):
        splitter = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed + 7919 * attempt)
        with warnings.catch_warnings():
            # "least populated class has fewer members than folds": said in our own words below
            warnings.simplefilter("ignore", UserWarning)
            splits = tuple(
                (train.astype(np.int64), test.astype(np.int64))
                for train, test in splitter.split(np.zeros((len(labels), 1)), labels, groups)
                if len(test) and len(train)
            )
        unlearned = sorted({str(each) for train, test in splits for each in _unlearned(labels, train, test)})
        if fewest is None or len(unlearned) < len(fewest):
            best, fewest = splits, unlearned
        if not unlearned:
            break
    return Folds(best, _statements(labels, groups, n_folds, len(best), fewest or []))


def part_by_group(labels: Labels, groups: Labels, n_rows: int, seed: int) -> Rows:
    """Return numbers of the rows of as many groups, drawn label by label, as make about `n_rows` rows; ascending."""
    n_parts = max(1, round(len(labels) / n_rows))
    part: Rows = np.flatnonzero(_dealt(labels, groups, n_parts, seed) == 0)
    return part


def _deal(labels: Labels, groups: Labels, n: int, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    fold_of = _dealt(labels, groups, n, seed)
    return tuple((np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(n))


def _dealt(labels: Labels, groups: Labels, n: int, seed: int) -> Rows:
    """Deal groups, shuffled and sorted by the label of their first row, to `n` hands; return each row's hand."""
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]
    hand = np.empty(len(first), dtype=np.int64)
    hand[order] = np.arange(len(first)) % n
    dealt: Rows = hand[group_of]
    return dealt


def _unlearned(labels: Labels, train: Rows, test: Rows) -> set[str]:
    return set(labels[test].tolist()) - set(labels[train].tolist())


def _statements(labels: Labels, groups: Labels, wanted: int, made: int, unlearned: Sequence[str]) -> tuple[str, ...]:
    said = []
    if made < wanted:
        said.append(f"{made} folds instead of {wanted}: there are no more artists")
    counts = artists_per_label(labels, groups)
    few = [f"{label} ({count})" for label, count in counts.items() if count < made]
    if few:
        said.append(f"fewer artists than folds, so absent from some test folds: {', '.join(few)}")
    if unlearned:
        said.append(f"tested in a fold that could not learn it: {', '.join(unlearned)}")
    return tuple(said)


def artists_per_label(labels: Labels, groups: Labels) -> dict[str, int]:
    """Count the groups of each label, by label name."""
    return {str(label): len(np.unique(groups[labels == label])) for label in np.unique(labels)}


def calibration_splits(labels: Labels, groups: Labels, seed: int, n_folds: int = 3) -> list[tuple[Rows, Rows]] | None:
    """Return splits for calibrating probabilities: by artist where every label can be, else by track.

    Returns
    -------
    list of (train, test), or None
        In every split each label is learned. None where a label has a single track: nothing can calibrate it.
    """
    from sklearn.model_selection import StratifiedKFold

    if min(artists_per_label(labels, groups).values()) >= 2:
        by_artist = grouped_folds(labels, groups, n_folds, seed)
        if not any(_unlearned(labels, train, test) for train, test in by_artist.splits):
            return list(by_artist.splits)
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest < 2:
        return None
    splitter = StratifiedKFold(n_splits=min(n_folds, smallest), shuffle=True, random_state=seed)
    return [
        (train.astype(np.int64), test.astype(np.int64))
        for train, test in splitter.split(np.zeros((len(labels), 1)), labels)
    ]
