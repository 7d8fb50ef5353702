"""A stacked classifier: every instrument has a model and a say of its own, and how much it counts is learned.

Each instrument's model gives log-probabilities; their weighted sum, through a softmax, is the answer:

    P(genre | track) ∝ exp(Σᵢ wᵢ · log Pᵢ(genre | instrument i)),  wᵢ ≥ 0.

That is multinomial logistic regression on the models' out-of-fold opinions with one weight an instrument (a
logarithmic opinion pool): five numbers, where one an instrument, genre and opinion would be hundreds, so that tens of
tracks suffice. The weights are drawn towards a common one, which is all that is left where the tracks tell no more.
As they minimise the log-loss on artists that the models had not heard, the probabilities are calibrated by it.

References
----------
D. Wolpert, "Stacked generalization", Neural Networks, 1992.
T. Heskes, "Selecting weighting factors in logarithmic opinion pools", NIPS, 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from mir.genre.folds import Labels, Rows, calibration_splits

Matrix = NDArray[np.float64]

_FLOOR = -12.0
"""Least log-probability an instrument may claim: none is so sure that it outvotes all the others for ever."""

_PULL = 2.0
"""Strength of the pull to a common weight, in tracks' worth of log-loss for a weight that is off by one."""


class InstrumentStack(ClassifierMixin, BaseEstimator):
    """Pool one logistic model an instrument.

    Parameters
    ----------
    blocks
        First and last-plus-one column of each instrument.
    c
        Inverse regularisation strength of each instrument's model.
    seed
        Draws the folds of the out-of-fold opinions, grouped by artist.
    tol
        Where a model's minimum counts as found.
    """

    def __init__(self, blocks: Sequence[tuple[int, int]], c: float = 1.0, seed: int = 0, tol: float = 1e-4) -> None:
        self.blocks = blocks
        self.c = c
        self.seed = seed
        self.tol = tol

    def fit(self, X: Matrix, y: Labels, groups: Labels | None = None, sample_weight: Matrix | None = None) -> Self:
        """Fit every instrument's model, and the weights on opinions of models that had not heard the artist.

        Parameters
        ----------
        X
            Features without gaps, shape ``(n, d)``.
        y, groups
            Genre and artist of each row, shape ``(n,)``; without artists each row is one.
        sample_weight
            What a row counts, shape ``(n,)``.
        """
        groups = np.arange(len(y)).astype(np.str_) if groups is None else groups
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        self.estimators_ = [self._model().fit(X[:, a:b], y, sample_weight=weight) for a, b in self.blocks]
        splits = calibration_splits(y, groups, self.seed)
        if splits is None:  # nobody to ask who had not heard it: equal says
            self.weights_ = np.full(len(self.blocks), 1.0 / len(self.blocks))
            return self
        opinions = self._unheard(X, y, weight, splits)
        truth = np.searchsorted(self.classes_, y)
        per_class = np.bincount(truth, weights=weight)
        self.weights_ = pool_weights(opinions, truth, weight * (weight.sum() / len(per_class)) / per_class[truth])
        return self

    def predict_proba(self, X: Matrix) -> Matrix:
        """Return probabilities in the order of ``classes_``, shape ``(n, n_genres)``."""
        from scipy.special import softmax

        opinions = np.stack(
            [_opinion(model, X[:, a:b]) for model, (a, b) in zip(self.estimators_, self.blocks, strict=True)]
        )
        return np.asarray(softmax(np.tensordot(self.weights_, opinions, axes=1), axis=1))

    def predict(self, X: Matrix) -> Labels:
        """Return the likeliest genre of each row, shape ``(n,)``."""
        likeliest: Labels = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def _model(self) -> Any:  # noqa: ANN401 - scikit-learn
        return LogisticRegression(C=self.c, class_weight="balanced", max_iter=5000, tol=self.tol)

    def _unheard(self, X: Matrix, y: Labels, weight: Matrix, splits: Sequence[tuple[Rows, Rows]]) -> Matrix:
        """Opinions on each row by models without its artist, shape ``(n_instruments, n, n_genres)``."""
        opinions = np.zeros((len(self.blocks), len(y), len(self.classes_)))
        for train, test in splits:
            for place, (a, b) in enumerate(self.blocks):
                model = self._model().fit(X[train, a:b], y[train], sample_weight=weight[train])
                opinions[place, test] = _opinion(model, X[test, a:b])
        return opinions


def pool_weights(opinions: Matrix, truth: Rows, weight: Matrix) -> Matrix:
    """Return how much each instrument's opinion counts.

    Minimises, by L-BFGS-B from the best common weight w̄, the weighted log-loss + λ/2 · Σ (wᵢ − w̄)², wᵢ ≥ 0.

    Parameters
    ----------
    opinions
        Log-probabilities, shape ``(n_instruments, n, n_genres)``.
    truth
        Number of each row's genre, shape ``(n,)``.
    weight
        What each row counts, shape ``(n,)``.

    Returns
    -------
    NDArray
        Shape ``(n_instruments,)``.
    """
    from scipy.optimize import minimize
    from scipy.special import softmax

    rows = np.arange(len(truth))
    total = opinions.sum(axis=0, keepdims=True)

    def loss(w: Matrix, scores: Matrix, centre: float, pull: float) -> tuple[float, Matrix]:
        shares = softmax(np.tensordot(w, scores, axes=1), axis=1)
        error = shares.copy()
        error[rows, truth] -= 1.0
        gradient = np.einsum("n,ink,nk->i", weight, scores, error)
        value = -(weight * np.log(np.maximum(shares[rows, truth], 1e-300))).sum()
        return float(value + 0.5 * pull * ((w - centre) ** 2).sum()), gradient + pull * (w - centre)

    n = len(opinions)
    common = minimize(loss, [1.0 / n], args=(total, 1.0 / n, _PULL), jac=True, bounds=[(0.0, None)]).x[0]
    start = np.full(n, common)
    found = minimize(loss, start, args=(opinions, common, _PULL), jac=True, bounds=[(0.0, None)] * n)
    return np.asarray(found.x, dtype=np.float64)


def _opinion(model: Any, X: Matrix) -> Matrix:  # noqa: ANN401 - scikit-learn
    return np.maximum(np.asarray(model.predict_log_proba(X), dtype=np.float64), _FLOOR)
