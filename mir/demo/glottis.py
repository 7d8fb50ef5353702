"""The sound source of a voice: flow through the vocal folds, one period in a table."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TABLE_SIZE = 8192
_BISECTIONS = 60


@lru_cache(maxsize=32)
def pulse(rd: float) -> NDArray[np.float32]:
    """One period of the derivative of glottal flow after Liljencrants and Fant.

    Parameters
    ----------
    rd
        Fant's shape parameter: 0.3 is a pressed voice with a bright spectrum, 1.0 a modal one, 2.5 a breathy
        one.

    Returns
    -------
    Table of shape ``(TABLE_SIZE,)`` with zero mean and a root mean square of 1.

    References
    ----------
    G. Fant, J. Liljencrants, Q. Lin: "A four-parameter model of glottal flow", STL-QPSR 4, 1985.
    G. Fant: "The LF-model revisited. Transformations and frequency domain analysis", STL-QPSR 2-3, 1995.
    """
    ra = (-1.0 + 4.8 * rd) / 100.0
    rk = (22.4 + 11.8 * rd) / 100.0
    rg = rk / 4.0 * (0.5 + 1.2 * rk) / (0.11 * rd - ra * (0.5 + 1.2 * rk))
    peak = 1.0 / (2.0 * rg)
    closing = peak * (1.0 + rk)
    decay = _return_rate(max(ra, 0.003), 1.0 - closing)
    omega = math.pi / peak

    phase = np.arange(TABLE_SIZE) / TABLE_SIZE
    is_open = phase < closing
    back = phase[~is_open] - closing
    returning = -(np.exp(-decay * back) - math.exp(-decay * (1.0 - closing))) / (
        1.0 - math.exp(-decay * (1.0 - closing))
    )

    def period(alpha: float) -> NDArray[np.float64]:
        table = np.empty(TABLE_SIZE)
        scale = -1.0 / (math.exp(alpha * closing) * math.sin(omega * closing))
        table[is_open] = scale * np.exp(alpha * phase[is_open]) * np.sin(omega * phase[is_open])
        table[~is_open] = returning
        return table

    # The flow must come back to where it began, so its derivative has no area; that fixes alpha.
    low, high = -20.0, 60.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if period(middle).sum() > 0.0:
            low = middle
        else:
            high = middle
    table = period(0.5 * (low + high))
    table -= table.mean()
    table /= np.sqrt(np.mean(table**2))
    return table.astype(np.float32)


def _return_rate(ra: float, rest: float) -> float:
    """Rate of the return phase, from its own equation ``rate · ra = 1 − exp(−rate · rest)``."""
    rate = 1.0 / ra
    for _ in range(_BISECTIONS):
        rate = (1.0 - math.exp(-rate * rest)) / ra
    return max(rate, 1e-3)


def phonate(
    f0_hz: NDArray[np.float64], tension: NDArray[np.float32], rd: tuple[float, float], sr: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run the folds along a pitch curve.

    Parameters
    ----------
    f0_hz
        Fundamental frequency at each sample, shape ``(n_samples,)``.
    tension
        0 (soft) … 1 (loud) at each sample, shape ``(n_samples,)``: moves from the second to the first pulse
        of `rd`.
    rd
        Shape parameter when loud and when soft.
    sr
        Sample rate in Hz.

    Returns
    -------
    Excitation and openness of the folds (0 … 1, where breath passes), both of shape ``(n_samples,)``.
    """
    phase = np.cumsum(f0_hz / sr)
    index = ((phase - np.floor(phase)) * TABLE_SIZE).astype(np.int32) % TABLE_SIZE
    loud, soft = pulse(rd[0])[index], pulse(rd[1])[index]
    source = soft + tension * (loud - soft)
    opening = np.sin(np.pi * np.linspace(0.0, 1.0, TABLE_SIZE, endpoint=False, dtype=np.float32)) ** 2
    return source, opening[index]
