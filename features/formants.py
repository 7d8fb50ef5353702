"""Resonances of the vocal tract by linear prediction.

References
----------
Markel and Gray, Linear Prediction of Speech, Springer, 1976 (autocorrelation method, roots of the predictor).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ORDER = 12
"""Two poles for each of five formants under 5.5 kHz, and two for the source."""

TOP_HZ = 5500.0
WIDEST_HZ = 700.0
"""Poles with a wider resonance describe tilt, not a formant."""

WIDEST_F5_HZ = 1500.0
"""The fifth is weak and close to the end of the band, where its pole comes out wider than it is."""

RANGES_HZ = ((200.0, 1200.0), (650.0, 2900.0), (1600.0, 3900.0), (2700.0, 5000.0), (3600.0, 5400.0))
"""Where F1 to F5 of adults' voices are looked for (Peterson and Barney, JASA 24, 1952; high female F4 and F5 above)."""

CLOSEST_HZ = 150.0


def formants_hz(envelope: Floats, frequencies_hz: Floats) -> Floats:
    """Frequencies of the first five formants of each frame.

    Parameters
    ----------
    envelope
        Power envelopes, shape ``(n_frames, n_points)``.
    frequencies_hz
        Equally spaced, shape ``(n_points,)``, from 0 to `TOP_HZ`.

    Returns
    -------
    ndarray
        Shape ``(n_frames, 5)``, Hz, rising; NaN where there is no resonance in that formant's range.
    """
    from scipy.fft import irfft

    emphasis = 1 + np.square(frequencies_hz / 100)
    lags = irfft(envelope * emphasis, axis=1)[:, : ORDER + 1].astype(np.float64)
    lags[:, 0] *= 1 + 1e-6
    predictor = levinson(lags)
    companion = np.zeros((len(predictor), ORDER, ORDER))
    companion[:, 0] = -predictor[:, 1:]
    companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
    poles = np.linalg.eigvals(companion)
    rate = 2 * frequencies_hz[-1]
    frequency = np.angle(poles) * rate / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(poles), 1e-6)) * rate / np.pi
    widest = (*(WIDEST_HZ for _ in RANGES_HZ[:-1]), WIDEST_F5_HZ)
    return _assign([np.where((frequency > 0) & (width < limit), frequency, np.inf) for limit in widest])


def levinson(lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear predictors [1, a₁, …] from autocorrelations, one a row (Levinson–Durbin recursion).

    Parameters
    ----------
    lags
        Shape ``(n, order + 1)``; lag 0 positive.

    Returns
    -------
    ndarray
        Shape ``(n, order + 1)``.
    """
    n, order = lags.shape[0], lags.shape[1] - 1
    predictor = np.zeros((n, order + 1))
    predictor[:, 0] = 1
    error = lags[:, 0].copy()
    for i in range(1, order + 1):
        reflection = -(lags[:, i] + np.sum(predictor[:, 1:i] * lags[:, i - 1 : 0 : -1], axis=1)) / error
        predictor[:, 1 : i + 1] += reflection[:, None] * predictor[:, i - 1 :: -1][:, :i]
        error *= 1 - np.square(reflection)
    return predictor


def _assign(candidates: list[NDArray[np.float64]]) -> Floats:
    """Give each formant the lowest of its candidates left in its range; one array ``(n, n_poles)`` each, ``(n, 5)``."""
    found = np.full((len(candidates[0]), len(RANGES_HZ)), np.nan, np.float32)
    above = np.zeros(len(found))
    for i, ((low, high), poles) in enumerate(zip(RANGES_HZ, candidates, strict=True)):
        fits = (poles > np.maximum(above, low)[:, None]) & (poles < high)
        first = np.where(fits, poles, np.inf).min(axis=1)
        there = np.isfinite(first)
        found[there, i] = first[there]
        above = np.where(there, first + CLOSEST_HZ, above)
    return found
