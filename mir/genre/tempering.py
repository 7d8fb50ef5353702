"""Probabilities out of a classifier's scores: one temperature, found on rows whose artist was held out.

P(genre) ∝ exp(β · score). One number, so that few tracks suffice, and the likeliest genre stays the likeliest. Where
every held-out row is right, likelihood alone would make β, and so every claim, as large as it can be; by Laplace's
rule of succession n of n right is worth (n + 1) / (n + 2), and the targets that β is fitted to are softened by that
much.

References
----------
C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML, 2017.
J. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers, 1999 (soft
targets).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from mir.genre.folds import Labels, Rows

Matrix = NDArray[np.float64]

_LOG_RANGE = (-8.0, 8.0)
"""Where log β is looked for: from saying nothing to a step."""


class Tempered(ClassifierMixin, BaseEstimator):
    """A classifier with ``decision_function``, and the temperature of its scores.

    Parameters
    ----------
    head
        The classifier, unfitted.
    splits
        (train, test) row numbers; the tests partition the rows, and each train part has every label. Needed by `fit`
        alone.
    """

    def __init__(self, head: Any, splits: Sequence[tuple[Rows, Rows]] = ()) -> None:  # noqa: ANN401 - scikit-learn
        self.head = head
        self.splits = splits

    def fit(self, X: Matrix, y: Labels, sample_weight: Matrix | None = None) -> Self:
        """Fit the classifier on all rows, and the temperature on scores of rows that a fit had not seen.

        Parameters
        ----------
        X
            Features, shape ``(n, d)``.
        y
            Genre of each row, shape ``(n,)``.
        sample_weight
            What a row counts, shape ``(n,)``.
        """
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        unheard = unheard_scores(self.head, X, y, self.splits, weight)
        self.sharpness_ = sharpness(unheard, np.searchsorted(self.classes_, y), weight)
        self.head_ = clone(self.head).fit(X, y, sample_weight=weight)
        return self

    def predict_proba(self, X: Matrix) -> Matrix:
        """Return probabilities in the order of ``classes_``, shape ``(n, n_genres)``."""
        from scipy.special import softmax

        return np.asarray(softmax(self.sharpness_ * class_scores(self.head_, X), axis=1))

    def predict(self, X: Matrix) -> Labels:
        """Return the likeliest genre of each row, shape ``(n,)``."""
        likeliest: Labels = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest


def sharpness(scores: Matrix, truth: Rows, weight: Matrix | None = None) -> float:
    """Return β, the inverse temperature, that makes the scores' softmax the best probabilities.

    Minimises the cross-entropy against targets of 1 − ε for the true genre, ε = 1 / (n + 2).

    Parameters
    ----------
    scores
        Of rows that the classifier had not seen, shape ``(n, n_genres)``.
    truth
        Number of each row's genre, shape ``(n,)``.
    weight
        What each row counts, shape ``(n,)``.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    counts = np.ones(len(truth)) if weight is None else weight
    n_genres = scores.shape[1]
    epsilon = 1.0 / (counts.sum() + 2.0)
    target = np.full(scores.shape, epsilon / (n_genres - 1))
    target[np.arange(len(truth)), truth] = 1.0 - epsilon

    def loss(log_beta: float) -> float:
        return float(-(counts[:, None] * target * log_softmax(np.exp(log_beta) * scores, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x))


def unheard_scores(
    head: Any,  # noqa: ANN401 - scikit-learn
    X: Matrix,
    y: Labels,
    splits: Sequence[tuple[Rows, Rows]],
    weight: Matrix | None = None,
) -> Matrix:
    """Return decision scores of each row by a classifier fitted without it.

    Parameters
    ----------
    head
        The classifier, unfitted; it stays so.
    X, y, weight
        Features, genre and weight of each row: shapes ``(n, d)``, ``(n,)`` and ``(n,)``.
    splits
        (train, test) row numbers; the tests partition the rows, and each train part has every label.

    Returns
    -------
    NDArray
        Shape ``(n, n_genres)``.
    """
    scores = np.zeros((len(y), len(np.unique(y))))
    for train, test in splits:
        part = None if weight is None else weight[train]
        scores[test] = class_scores(clone(head).fit(X[train], y[train], sample_weight=part), X[test])
    return scores


def class_scores(head: Any, X: Matrix) -> Matrix:  # noqa: ANN401 - scikit-learn
    """Return decision scores with a column a genre: of two genres scikit-learn gives the second one's alone."""
    scores = np.asarray(head.decision_function(X), dtype=np.float64)
    return scores if scores.ndim == 2 else np.stack([np.zeros_like(scores), scores], axis=1)
