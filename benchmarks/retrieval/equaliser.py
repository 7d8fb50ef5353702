"""A random three-band equaliser: the same recording, mastered by somebody else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RANGE_DB = 6.0
"""Largest boost or cut of a band."""

LOW_SHELF_HZ, MIDDLE_HZ, HIGH_SHELF_HZ = 250.0, 1000.0, 4000.0
MIDDLE_Q = 0.7


def random_gains(seed: int) -> tuple[float, float, float]:
    """Draw the gains of low, middle and high in dB."""
    low, middle, high = np.random.default_rng(seed).uniform(-RANGE_DB, RANGE_DB, 3)
    return float(low), float(middle), float(high)


def equalise(y: Samples, sr: int, gains_db: tuple[float, float, float]) -> Samples:
    """Filter by a low shelf, a bell and a high shelf; shape ``(n_channels, n_samples)`` stays.

    References
    ----------
    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", 1998.
    """
    from scipy.signal import sosfilt

    low, middle, high = gains_db
    sections = [_shelf(LOW_SHELF_HZ, low, sr, 1), _bell(MIDDLE_HZ, middle, sr), _shelf(HIGH_SHELF_HZ, high, sr, -1)]
    return np.asarray(sosfilt(np.array(sections), y, axis=-1), dtype=np.float32)


def _shelf(corner_hz: float, gain_db: float, sr: int, side: int) -> NDArray[np.float64]:
    """Shelf of slope 1 below (`side` 1) or above (−1) a corner."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * corner_hz / sr
    cosine, beta = side * np.cos(w), np.sqrt(2 * a) * np.sin(w)
    numerator = (
        a * ((a + 1) - (a - 1) * cosine + beta),
        side * 2 * a * ((a - 1) - (a + 1) * cosine),
        a * ((a + 1) - (a - 1) * cosine - beta),
    )
    denominator = (
        (a + 1) + (a - 1) * cosine + beta,
        -side * 2 * ((a - 1) + (a + 1) * cosine),
        (a + 1) + (a - 1) * cosine - beta,
    )
    return np.array([*numerator, *denominator]) / denominator[0]


def _bell(centre_hz: float, gain_db: float, sr: int) -> NDArray[np.float64]:
    a, w = 10 ** (gain_db / 40), 2 * np.pi * centre_hz / sr
    alpha, cosine = np.sin(w) / (2 * MIDDLE_Q), np.cos(w)
    return np.array([1 + alpha * a, -2 * cosine, 1 - alpha * a, 1 + alpha / a, -2 * cosine, 1 - alpha / a]) / (
        1 + alpha / a
    )
