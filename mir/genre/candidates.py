"""The pipelines that compete for a run, and which of them a number of tracks allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

KERNEL_LIMIT = 10_000
"""Rows above which the exact RBF kernel is left out, its cost grows with the square, and trees with it."""

TREES_FROM = 300
"""Rows below which boosted trees are left out: with 20 rows a leaf there is nothing to split."""

AVERAGE_LIMIT = 3000
"""Rows above which strengths of regularisation are not averaged: so many tracks tell which is right."""

_CLIP = 5.0
"""Robustly scaled values are cut at ± this many (normal-equivalent) standard deviations: one wild measurement
must not be the whole distance."""

_N_LANDMARKS = 300
"""Rows that span Nyström's approximation of the kernel."""

Head = Literal["average", "logistic", "svm", "nystroem", "boosting", "stack"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pipeline: imputation → robust scaling → clipping → (PCA) → classifier; trees take the numbers as they are.

    Parameters
    ----------
    head
        ``average``: logistic models at C, C/10 and C/100, their tempered scores averaged (`mir.genre.average`).
        ``logistic``: multinomial, L2. ``svm``: RBF kernel. ``nystroem``: the same kernel approximated from 300 rows,
        then ``logistic``. ``boosting``: gradient-boosted trees on histograms. ``stack``: a logistic model for each
        instrument, their opinions pooled (`mir.genre.stack`). What averages or pools is calibrated by itself; the
        probabilities of all others are tempered on rows whose artist was held out (`mir.genre.tempering`).
    c
        Inverse regularisation strength; no part in boosting.
    pca
        Share of the variance that is kept, None for no PCA.

    References
    ----------
    C. Williams, M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS, 2000.
    J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics, 2001.
    """

    head: Head
    c: float = 1.0
    pca: float | None = None

    def __str__(self) -> str:
        strength = "" if self.head == "boosting" else f" C={self.c:g}"
        return f"{self.head}{strength}" + (f" PCA {self.pca:.0%}" if self.pca is not None else "")

    @property
    def form(self) -> str:
        """``stacked``: a model an instrument; ``concatenated``: one model of all their numbers side by side."""
        return "stacked" if self.head == "stack" else "concatenated"

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as plain data."""
        return asdict(self)


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("average", 0.1),
    *(
        candidate
        for pca in (None, 0.95)
        for candidate in (
            *(Candidate("logistic", c, pca) for c in (0.01, 0.1, 1.0)),
            *(Candidate("svm", c, pca) for c in (1.0, 10.0)),
        )
    ),
    *(Candidate("stack", c) for c in (0.01, 0.1, 1.0)),
    Candidate("boosting"),
    *(Candidate("nystroem", c) for c in (0.1, 1.0)),
)
"""What a run chooses from, as far as its size allows (`allowed`); earlier ones win ties. The average is what is taken
unless another is better beyond doubt (`mir.genre.model.Contest.best`)."""

CALIBRATED_BY_THEMSELVES = ("average", "stack")
"""Heads that ask held-out artists in their own ``fit``, which therefore takes ``groups``."""


def allowed(
    candidates: Sequence[Candidate], *, n_rows: int, n_instruments: int, calibrated: bool
) -> tuple[list[Candidate], tuple[str, ...]]:
    """Return the candidates that so many rows can afford and feed, and what a run has to say of those left out.

    Parameters
    ----------
    candidates
        All that were asked for.
    n_rows, n_instruments
        Of the training data.
    calibrated
        Whether probabilities can be calibrated: a kernel machine has none of its own.

    Returns
    -------
    candidates, statements
        At least one candidate: plain logistic regression, where nothing else is left.
    """
    large = n_rows > KERNEL_LIMIT
    possible = {
        "average": n_rows <= AVERAGE_LIMIT,
        "logistic": True,
        "svm": calibrated and not large,
        "nystroem": large,
        "boosting": calibrated and n_rows >= TREES_FROM and not large,
        "stack": n_instruments > 1,
    }
    kept = [candidate for candidate in candidates if possible[candidate.head]]
    asked = {candidate.head for candidate in candidates}
    said = []
    if large and asked & {"svm", "boosting"}:
        said.append(
            f"more than {KERNEL_LIMIT} tracks: Nyström's approximation and linear models instead of the exact RBF "
            "kernel and trees"
        )
    if "boosting" in asked and n_rows < TREES_FROM:
        said.append(f"fewer than {TREES_FROM} tracks: no gradient boosting")
    return kept or [Candidate("logistic", 0.1)], tuple(said)


def preprocessing(candidate: Candidate, seed: int) -> list[tuple[str, Any]]:
    """Return the steps before the classifier, unfitted. `seed` draws Nyström's rows.

    Trees need no scale, and could do with what is missing, but not with a column of which all is missing.
    """
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.kernel_approximation import Nystroem
    from sklearn.preprocessing import FunctionTransformer, RobustScaler

    steps: list[tuple[str, Any]] = [("impute", SimpleImputer(strategy="median", keep_empty_features=True))]
    if candidate.head == "boosting":
        return steps
    steps += [
        ("scale", RobustScaler(quantile_range=(10.0, 90.0), unit_variance=True)),
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -_CLIP, "a_max": _CLIP})),
    ]
    if candidate.pca is not None:
        steps.append(("pca", PCA(n_components=candidate.pca, svd_solver="full")))
    if candidate.head == "nystroem":
        steps.append(("kernel", Nystroem(n_components=_N_LANDMARKS, random_state=seed)))
    return steps


def classifier(candidate: Candidate, *, n_rows: int, blocks: Sequence[tuple[int, int]], seed: int) -> Any:  # noqa: ANN401 - scikit-learn
    """Return a candidate's classifier, unfitted and not calibrated.

    Parameters
    ----------
    n_rows
        Rows that it will be fitted on: above `KERNEL_LIMIT` the last digits of a minimum are not waited for.
    blocks
        First and last-plus-one column of each instrument; what a stack divides by.
    seed
        Draws the trees' features, and the folds of what calibrates itself.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    from mir.genre.average import AveragedLogistic
    from mir.genre.stack import InstrumentStack

    tolerance = 1e-2 if n_rows > KERNEL_LIMIT else 1e-4
    if candidate.head == "average":
        return AveragedLogistic(c=candidate.c, seed=seed)
    if candidate.head == "stack":
        return InstrumentStack(blocks=blocks, c=candidate.c, seed=seed, tol=tolerance)
    if candidate.head == "svm":
        return SVC(C=candidate.c, kernel="rbf", gamma="scale", class_weight="balanced")
    if candidate.head == "boosting":
        return HistGradientBoostingClassifier(
            max_iter=30,
            learning_rate=0.25,
            max_leaf_nodes=8,
            max_bins=32,  # a split is looked for in every bin of every feature: few tracks have no more to tell
            l2_regularization=1.0,
            class_weight="balanced",
            early_stopping=False,  # its random split would put an artist on both sides
            random_state=seed,
        )
    return LogisticRegression(C=candidate.c, class_weight="balanced", max_iter=5000, tol=tolerance)
