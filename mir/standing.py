"""Where a value stands among those of everybody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def percentile(everybody: NDArray[np.float64], value: float | None) -> float | None:
    """Return the share of measured values that are smaller, 0 to 100, ties counted half; None where nothing is known.

    Parameters
    ----------
    everybody
        Values, shape ``(n,)``; NaN where one was not measured.
    value
        The one that is asked about, in the same unit; None or NaN where it was not measured.

    Examples
    --------
    >>> percentile(np.array([1.0, 2.0, np.nan, 2.0, 3.0]), 2.0)
    50.0
    """
    there = everybody[np.isfinite(everybody)]
    if value is None or not np.isfinite(value) or not len(there):
        return None
    return float(100.0 * ((there < value).mean() + 0.5 * (there == value).mean()))
