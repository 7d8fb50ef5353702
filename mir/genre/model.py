"""The classifiers that compete for a run, and how one is chosen without looking at the test artists."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mir.genre.folds import Labels, calibration_splits, grouped_folds

Matrix = NDArray[np.float64]

KERNEL_LIMIT = 10_000
"""Rows above which the exact RBF kernel is left out: its cost grows with the square."""

_CLIP = 5.0
"""Robustly scaled values are cut at ± this many (normal-equivalent) standard deviations: one wild measurement
must not be the whole distance."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pipeline: imputation → robust scaling → clipping → (PCA) → classifier.

    Parameters
    ----------
    head
        ``logistic``: multinomial, L2; ``svm``: RBF kernel. The probabilities of both are tempered on rows whose
        artist was held out: one number, so that few tracks suffice, and the likeliest genre stays the likeliest.
    c
        Inverse regularisation strength.
    pca
        Share of the variance that is kept, None for no PCA.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML, 2017.
    """

    head: Literal["logistic", "svm"]
    c: float
    pca: float | None = None

    def __str__(self) -> str:
        return f"{self.head} C={self.c:g}" + (f" PCA {self.pca:.0%}" if self.pca is not None else "")

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as plain data."""
        return asdict(self)


CANDIDATES: tuple[Candidate, ...] = tuple(
    candidate
    for pca in (None, 0.95)
    for candidate in (
        *(Candidate("logistic", c, pca) for c in (0.01, 0.1, 1.0)),
        *(Candidate("svm", c, pca) for c in (1.0, 10.0)),
    )
)
"""What a run chooses from; earlier ones win ties."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained pipeline with how it was chosen.

    Parameters
    ----------
    pipeline
        scikit-learn ``Pipeline`` with ``predict_proba``.
    candidate
        The one that won.
    scores
        Macro-F1 on the inner folds by candidate, 0…1; empty where nothing could be compared.
    """

    pipeline: Any
    candidate: Candidate
    scores: dict[str, float]


def fit(
    matrix: Matrix, labels: Labels, groups: Labels, *, seed: int, candidates: Sequence[Candidate] = CANDIDATES
) -> Fitted:
    """Choose a candidate by inner folds grouped by artist, then train it on all the rows given.

    Parameters
    ----------
    matrix
        Features, shape ``(n, d)``; NaN where a number is missing.
    labels, groups
        Genre and artist of each row, shape ``(n,)``; at least two genres.
    seed
        Decides the inner folds; the same input and seed give the same model.
    candidates
        What may be chosen.
    """
    with _one_thread():
        splits = calibration_splits(labels, groups, seed)
        kernels = splits is not None and len(labels) <= KERNEL_LIMIT
        allowed = [candidate for candidate in candidates if candidate.head != "svm" or kernels]
        scores = _inner_scores(allowed, matrix, labels, groups, seed) if len(allowed) > 1 else {}
        best = max(allowed, key=lambda c: scores.get(str(c), 0.0))
        pipeline = _preprocessing(best.pca)
        pipeline.steps.append(("classify", _head(best, splits)))
        pipeline.fit(matrix, labels)
        if splits is not None:
            # The splits are row numbers of the training data: of no use later, and no part of the artifact.
            pipeline[-1].set_params(cv=3)
    return Fitted(pipeline, best, scores)


def predict_proba(pipeline: Any, matrix: Matrix, labels: Sequence[str]) -> Matrix:  # noqa: ANN401 - scikit-learn
    """Return probabilities, shape ``(n, len(labels))``; 0 for a label that the pipeline never learned."""
    with _one_thread():
        learned = pipeline.predict_proba(matrix)
    probabilities = np.zeros((len(matrix), len(labels)))
    position = {label: column for column, label in enumerate(labels)}
    for source, label in enumerate(pipeline.classes_):
        probabilities[:, position[str(label)]] = learned[:, source]
    return probabilities


def _one_thread() -> AbstractContextManager[Any]:
    """Limit linear algebra to one thread: the sums are in one order, so a repeat gives the same numbers."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def _inner_scores(
    candidates: Sequence[Candidate], matrix: Matrix, labels: Labels, groups: Labels, seed: int
) -> dict[str, float]:
    if len(np.unique(groups)) < 2:
        return {}
    predicted = {candidate: np.full(len(labels), "", dtype=labels.dtype) for candidate in candidates}
    for train, test in grouped_folds(labels, groups, 3, seed + 1).splits:
        if len(np.unique(labels[train])) < 2:
            continue
        for pca in dict.fromkeys(candidate.pca for candidate in candidates):
            preprocessing = _preprocessing(pca)
            seen = preprocessing.fit_transform(matrix[train])
            unseen = preprocessing.transform(matrix[test])
            for candidate in candidates:
                if candidate.pca == pca:
                    # Uncalibrated here: calibration does not move the likeliest label and costs three more fits.
                    head = _head(candidate, None).fit(seen, labels[train])
                    predicted[candidate][test] = head.predict(unseen)
    return {str(candidate): _macro_f1(labels, guess) for candidate, guess in predicted.items()}


def _macro_f1(truth: Labels, guess: Labels) -> float:
    """Mean over the labels that occur of 2 · hits / (true + guessed)."""
    return float(
        np.mean(
            [
                2.0 * ((truth == name) & (guess == name)).sum() / ((truth == name).sum() + (guess == name).sum())
                for name in np.unique(truth)
            ]
        )
    )


def _preprocessing(pca: float | None) -> Any:  # noqa: ANN401 - scikit-learn
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, RobustScaler

    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", RobustScaler(quantile_range=(10.0, 90.0), unit_variance=True)),
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -_CLIP, "a_max": _CLIP})),
    ]
    if pca is not None:
        steps.append(("pca", PCA(n_components=pca, svd_solver="full")))
    return Pipeline(steps)


def _head(candidate: Candidate, splits: list[Any] | None) -> Any:  # noqa: ANN401 - scikit-learn
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    head = (
        LogisticRegression(C=candidate.c, class_weight="balanced", max_iter=5000)
        if candidate.head == "logistic"
        else SVC(C=candidate.c, kernel="rbf", gamma="scale", class_weight="balanced")
    )
    if splits is None:
        return head
    return CalibratedClassifierCV(head, method="temperature", cv=splits, ensemble=False, n_jobs=1)
