"""Whether a probability of 0.8 is right eight times in ten: reliability of held-out predictions.

References
----------
C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML, 2017.
J. Nixon, M. Dusenberry, L. Zhang, G. Jerfel, D. Tran, "Measuring calibration in deep learning", CVPR workshops, 2019
(bins with equally many predictions).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 10
_LEAST_IN_A_BIN = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one confidence: how many, mean probability of the guess, share that was right (0…1)."""

    n: float
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probability against frequency of the likeliest genre.

    Parameters
    ----------
    expected_calibration_error
        Mean over predictions of |confidence − accuracy| of their bin, 0…1. Few predictions make it larger than it is.
    brier
        Mean of (confidence − right)², 0…1.
    bins
        Equally many predictions each, by rising confidence; `n` is per repeat.
    """

    expected_calibration_error: float
    brier: float
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Reliability:
    """Compare what was claimed with what was so.

    Parameters
    ----------
    confidence
        Probability of the guess, shape ``(n_repeats, n)``, n ≥ 1.
    right
        Whether the guess is one of the track's genres, shape ``(n_repeats, n)``.

    Examples
    --------
    >>> import numpy as np
    >>> reliability(np.full((1, 4), 0.75), np.array([[True, True, True, False]])).expected_calibration_error
    0.0
    """
    repeats = len(confidence)
    claimed, so = confidence.ravel(), right.ravel().astype(np.float64)
    n_bins = int(np.clip(confidence.shape[1] // _LEAST_IN_A_BIN, 1, _BINS))
    order = np.argsort(claimed, kind="stable")
    bins = tuple(
        Bin(len(rows) / repeats, float(claimed[rows].mean()), float(so[rows].mean()))
        for rows in np.array_split(order, n_bins)
        if len(rows)
    )
    total = sum(each.n for each in bins)
    error = sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / total
    return Reliability(float(error), float(((claimed - so) ** 2).mean()), bins)
