"""Logistic regression at several strengths of regularisation, averaged instead of chosen among.

With few artists, inner folds cannot tell which strength is right, and to follow what they say costs more than either is
better. So each strength has a model, its scores are tempered on rows whose artist it had not heard
(`mir.genre.tempering`), and the answer is the mean of the tempered scores, tempered once more:

    P(genre | track) ∝ exp(β · 1/m · Σⱼ βⱼ · scoreⱼ(genre | track)).

Without the βⱼ the least regularised model, whose scores are the largest, would be the whole mean.

References
----------
T. Dietterich, "Ensemble methods in machine learning", Multiple Classifier Systems, 2000 (averaging, where the data do
not decide).
T. Heskes, "Selecting weighting factors in logarithmic opinion pools", NIPS, 1998.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from mir.genre.folds import Labels, calibration_splits
from mir.genre.tempering import class_scores, sharpness, unheard_scores

Matrix = NDArray[np.float64]

STRENGTHS = (0.01, 0.1, 1.0)
"""What `c` is multiplied by for each of the models."""


class AveragedLogistic(ClassifierMixin, BaseEstimator):
    """The mean of tempered logistic models.

    Parameters
    ----------
    c
        Inverse strength of the least regularised model.
    seed
        Draws the folds that temper, grouped by artist.
    """

    def __init__(self, c: float = 0.1, seed: int = 0) -> None:
        self.c = c
        self.seed = seed

    def fit(self, X: Matrix, y: Labels, groups: Labels | None = None, sample_weight: Matrix | None = None) -> Self:
        """Fit every model on all rows, and the temperatures on scores of rows whose artist a fit had not heard.

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
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        self.estimators_ = [self._model(times).fit(X, y, sample_weight=weight) for times in STRENGTHS]
        self.sharpnesses_ = np.full(len(STRENGTHS), 1.0 / len(STRENGTHS))
        splits = calibration_splits(y, groups, self.seed)
        if splits is None:  # nobody to ask who had not heard it: scores as they are
            return self
        truth = np.searchsorted(self.classes_, y)
        unheard = np.stack([unheard_scores(self._model(times), X, y, splits, weight) for times in STRENGTHS])
        self.sharpnesses_ *= [sharpness(scores, truth, weight) for scores in unheard]
        self.sharpnesses_ *= sharpness(np.tensordot(self.sharpnesses_, unheard, axes=1), truth, weight)
        return self

    def predict_proba(self, X: Matrix) -> Matrix:
        """Return probabilities in the order of ``classes_``, shape ``(n, n_genres)``."""
        from scipy.special import softmax

        scores = np.stack([class_scores(model, X) for model in self.estimators_])
        return np.asarray(softmax(np.tensordot(self.sharpnesses_, scores, axes=1), axis=1))

    def predict(self, X: Matrix) -> Labels:
        """Return the likeliest genre of each row, shape ``(n,)``."""
        likeliest: Labels = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def _model(self, times: float) -> Any:  # noqa: ANN401 - scikit-learn
        return LogisticRegression(C=self.c * times, class_weight="balanced", max_iter=5000)
