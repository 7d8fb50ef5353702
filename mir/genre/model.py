"""How one of the candidates is chosen without looking at the test artists, trained, and made to tell probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mir.genre.candidates import (
    CALIBRATED_BY_THEMSELVES,
    CANDIDATES,
    KERNEL_LIMIT,
    Candidate,
    allowed,
    classifier,
    preprocessing,
)
from mir.genre.folds import Labels, Rows, calibration_splits, grouped_folds, part_by_group
from mir.genre.scores import Counts, confusions, plain_score, surely_better

Matrix = NDArray[np.float64]

SELECTION_ROWS = 3000
"""Candidates compete on the tracks of so many artists as make this number: more would cost hours and change little."""


NOT_BEYOND_DOUBT = "the average was taken; another candidate scored higher on the inner folds, not beyond doubt"


@dataclass(frozen=True, slots=True)
class Learning:
    """Rows to learn from.

    Parameters
    ----------
    matrix
        Features, shape ``(n, d)``; NaN where a number is missing.
    labels, groups
        Genre and artist of each row, shape ``(n,)``; at least two genres.
    blocks
        First and last-plus-one column of each instrument; empty where they are not known (there is no stack then).
    weights
        What each row counts, shape ``(n,)``; None: all the same. A track with several genres is a row for each.
    """

    matrix: Matrix
    labels: Labels
    groups: Labels
    blocks: tuple[tuple[int, int], ...] = ()
    weights: Matrix | None = None

    def rows(self, chosen: Rows) -> Learning:
        """Return some rows, by number."""
        weights = None if self.weights is None else self.weights[chosen]
        return Learning(self.matrix[chosen], self.labels[chosen], self.groups[chosen], self.blocks, weights)


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
    statements
        What did not take part, and why; how the choice was made, where it was not the highest score's.
    """

    pipeline: Any
    candidate: Candidate
    scores: dict[str, float]
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """Candidates and what they said on inner folds, before anything is trained on all rows.

    Parameters
    ----------
    learning, seed
        What is learned from.
    candidates
        Those that take part.
    counts
        Confusions by artist on the inner folds; empty where nothing could be compared.
    splits
        Of the calibration; None where nothing can calibrate.
    statements
        What did not take part, and why; whether the average was taken before a higher score.
    """

    learning: Learning
    seed: int
    candidates: tuple[Candidate, ...]
    counts: dict[Candidate, Counts]
    splits: list[tuple[Rows, Rows]] | None
    statements: tuple[str, ...] = field(default=())

    @property
    def scores(self) -> dict[str, float]:
        """Macro-F1 on the inner folds by candidate, 0…1."""
        return {str(candidate): plain_score(counts)[1] for candidate, counts in self.counts.items()}

    def best(self, form: str | None = None) -> Candidate | None:
        """Return which candidate (of one form) to take, None where there is none.

        The average of logistic models, unless the one with the highest score is better beyond doubt
        (`mir.genre.scores.surely_better`): among few artists the best of a dozen scores is mostly luck. Where the
        average takes no part, the highest score, the first of equals.
        """
        of_form = [candidate for candidate in self.candidates if form in (None, candidate.form)]
        if not of_form:
            return None
        scores = self.scores
        top = max(of_form, key=lambda candidate: scores.get(str(candidate), 0.0))
        average = next((candidate for candidate in of_form if candidate.head == "average"), None)
        if average is None or top == average:
            return top
        others = len(of_form) - 1
        return top if surely_better(self.counts[top], self.counts[average], self.seed, others) else average

    def train(self, candidate: Candidate) -> Fitted:
        """Train a candidate on all the rows."""
        from sklearn.pipeline import Pipeline

        learning = self.learning
        with _one_thread():
            head = _calibrated(candidate, learning, self.splits, self.seed)
            pipeline = Pipeline([*preprocessing(candidate, self.seed), ("classify", head)])
            pipeline.fit(
                learning.matrix,
                learning.labels,
                **{f"classify__{name}": value for name, value in _fit_parameters(candidate, learning).items()},
            )
        _forget_training(pipeline)
        return Fitted(pipeline, candidate, self.scores, self.statements)


def fit(
    learning: Learning,
    *,
    seed: int,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> Fitted:
    """Choose a candidate by inner folds grouped by artist, then train it on all the rows given.

    Parameters
    ----------
    learning
        The rows.
    seed
        Decides the inner folds; the same input and seed give the same model.
    candidates
        What may be chosen, as far as the number of rows allows it.
    """
    contest = compete(learning, seed=seed, candidates=candidates)
    return contest.train(contest.best() or contest.candidates[0])


def compete(learning: Learning, *, seed: int, candidates: Sequence[Candidate] = CANDIDATES) -> Contest:
    """Score candidates by inner folds grouped by artist; see `fit`."""
    n_rows = len(learning.labels)
    splits = calibration_splits(learning.labels, learning.groups, seed, 2 if n_rows > KERNEL_LIMIT else 3)
    running, said = allowed(
        candidates, n_rows=n_rows, n_instruments=len(learning.blocks), calibrated=splits is not None
    )
    part = learning
    if n_rows > SELECTION_ROWS and len(running) > 1:
        part = learning.rows(part_by_group(learning.labels, learning.groups, SELECTION_ROWS, seed))
        said = (*said, f"the model was chosen on about {SELECTION_ROWS} of the training tracks, those of some artists")
    with _one_thread():
        counts = _inner_counts(running, part, seed) if len(running) > 1 else {}
    contest = Contest(learning, seed, tuple(running), counts, splits, said)
    taken, scores = contest.best(), contest.scores
    if scores and scores[str(taken)] < max(scores.values()):
        contest = replace(contest, statements=(*said, NOT_BEYOND_DOUBT))
    return contest


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


def _fit_parameters(candidate: Candidate, learning: Learning) -> dict[str, Any]:
    """Return what a classifier's ``fit`` takes beside rows and labels."""
    parameters: dict[str, Any] = {}
    if learning.weights is not None:
        parameters["sample_weight"] = learning.weights
    if candidate.head in CALIBRATED_BY_THEMSELVES:
        parameters["groups"] = learning.groups
    return parameters


def _calibrated(candidate: Candidate, learning: Learning, splits: list[tuple[Rows, Rows]] | None, seed: int) -> Any:  # noqa: ANN401 - scikit-learn
    from mir.genre.tempering import Tempered

    head = classifier(candidate, n_rows=len(learning.labels), blocks=learning.blocks, seed=seed)
    if splits is None or candidate.head in CALIBRATED_BY_THEMSELVES:
        return head
    return Tempered(head, splits)


def _forget_training(pipeline: Any) -> None:  # noqa: ANN401 - scikit-learn
    """Drop what only training needed, so that it is no part of the artifact."""
    head = pipeline[-1]
    if not hasattr(head, "splits"):
        return
    head.set_params(splits=())  # row numbers of the training data
    # The state of the random numbers that drew each tree's features: a file that may hold one could name any other.
    if hasattr(head.head_, "_feature_subsample_rng"):
        del head.head_._feature_subsample_rng


def _inner_counts(candidates: Sequence[Candidate], learning: Learning, seed: int) -> dict[Candidate, Counts]:
    from sklearn.pipeline import Pipeline

    labels = learning.labels
    if len(np.unique(learning.groups)) < 2:
        return {}
    predicted = {candidate: np.full(len(labels), "", dtype=labels.dtype) for candidate in candidates}
    for train, test in grouped_folds(labels, learning.groups, 3, seed + 1).splits:
        if len(np.unique(labels[train])) < 2:
            for guess in predicted.values():
                guess[test] = labels[train][0]
            continue
        seen = learning.rows(train)
        prepared: dict[tuple[object, ...], tuple[Matrix, Matrix]] = {}
        for candidate in candidates:
            steps = preprocessing(candidate, seed)
            key = (candidate.pca, *(name for name, _ in steps))
            if key not in prepared:
                before = Pipeline(steps)
                prepared[key] = before.fit_transform(seen.matrix), before.transform(learning.matrix[test])
            inside, outside = prepared[key]
            # Uncalibrated where that is done here: it does not move the likeliest label and costs three more fits.
            head = classifier(candidate, n_rows=len(train), blocks=learning.blocks, seed=seed)
            head.fit(inside, labels[train], **_fit_parameters(candidate, seen))
            predicted[candidate][test] = head.predict(outside)
    names = np.unique(labels).tolist()
    return {
        candidate: confusions(labels, [guess], learning.groups, names, weights=learning.weights)
        for candidate, guess in predicted.items()
    }
