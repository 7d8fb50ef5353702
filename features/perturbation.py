"""How unevenly the vocal folds turn: jitter and shimmer, from one period to the next.

References
----------
Koike, Takahashi and Calcaterra, Acoustic measures for detecting laryngeal pathology, Acta Oto-Laryngologica 84, 1977
(three-point perturbation quotients: what a glide or a vibrato does to the pitch falls out).
Titze and Liang, Comparison of F0 extraction methods for high-precision voice perturbation measurements, JSHR 36, 1993
(periods by matching waveforms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base import Samples
from features.pitch import PitchTrack

MOST_PLACES = 300
"""At so many places of a track three periods are compared: more change the median of a voice no further."""

PERIODS = 3
REACH = 0.15
"""How far a period may differ from what the pitch track says, as a share of it."""

BEFORE_PEAK = 0.15
"""A period is cut this share of itself before its largest sample, so that it holds one closing of the folds."""

MATCHED = 0.7
"""Share of a period that is matched with the next: less than the whole, or the closing after it would pull."""

ALIKE = 0.7
"""Correlation under which two stretches are not one period and the next."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Unevenness of a voice in percent, NaN where there is too little steady voice.

    Parameters
    ----------
    jitter_percent
        Mean distance of a period from the mean of three, over the mean period.
    shimmer_percent
        The same of the periods' amplitudes.
    """

    jitter_percent: float
    shimmer_percent: float


def perturbation(y: Samples, sr: int, pitch: PitchTrack) -> Perturbation:
    """Measure the unevenness of the periods where a voice is steady.

    Parameters
    ----------
    y
        Mono signal, shape ``(n_samples,)``.
    sr
        Sample rate in Hz.
    pitch
        Its pitch; frame `t` is centred on second ``t · hop_s``.
    """
    lengths, amplitudes = [], []
    for frame in _steady_frames(pitch):
        period = sr / float(pitch.f0_hz[frame])
        found = _three_periods(y, round(frame * pitch.hop_s * sr), period)
        if found is not None:
            lengths.append(found[0])
            amplitudes.append(found[1])
    if not lengths:
        return Perturbation(np.nan, np.nan)
    return Perturbation(_quotient_percent(np.array(lengths)), _quotient_percent(np.array(amplitudes)))


def _steady_frames(pitch: PitchTrack) -> NDArray[np.intp]:
    """At most `MOST_PLACES` frames whose two neighbours on either side have a pitch too."""
    voiced = pitch.voiced
    inner = voiced.copy()
    for shift in (1, 2):
        inner[shift:] &= voiced[:-shift]
        inner[:-shift] &= voiced[shift:]
        inner[:shift] = inner[-shift:] = False
    frames = np.flatnonzero(inner)
    if frames.size <= MOST_PLACES:
        return frames
    return frames[np.linspace(0, frames.size - 1, MOST_PLACES).astype(np.intp)]


def _three_periods(y: Samples, centre: int, period: float) -> tuple[list[float], list[float]] | None:
    """Lengths in samples and amplitudes of three periods in a row; None where they are not alike."""
    size = round(period)
    first = centre - round(1.5 * period)
    if first < size or centre + round(4 * period) > y.size:
        return None
    at = first + int(np.abs(y[first : first + size]).argmax()) - round(BEFORE_PEAK * period)
    lengths, amplitudes = [], []
    for _ in range(PERIODS):
        length = _distance(y, at, size)
        if length is None:
            return None
        lengths.append(length)
        amplitudes.append(float(np.sqrt(np.mean(np.square(y[at : at + round(MATCHED * size)])))))
        at += round(length)
    return lengths, amplitudes


def _distance(y: Samples, at: int, size: int) -> float | None:
    """Distance in samples at which the period at `at` comes again; None where nothing is like it."""
    low, high = int((1 - REACH) * size), int((1 + REACH) * size) + 1
    width = round(MATCHED * size)
    here = y[at : at + width]
    stretch = y[at + low : at + high + width]
    energy = np.cumsum(np.concatenate([[0.0], np.square(stretch, dtype=np.float64)]))
    there = energy[width:] - energy[:-width]
    product = np.correlate(stretch, here, mode="valid").astype(np.float64)
    alike = product / np.sqrt(np.maximum(there * float(here @ here), 1e-30))
    best = int(alike.argmax())
    if best in (0, alike.size - 1) or alike[best] < ALIKE:
        return None
    left, middle, right = alike[best - 1 : best + 2]
    return low + best + 0.5 * float(left - right) / min(float(left - 2 * middle + right), -1e-12)


def _quotient_percent(values: NDArray[np.float64]) -> float:
    """Mean of |x₂ − (x₁ + x₂ + x₃) / 3| over each row's mean, in percent; `values` of shape ``(n, 3)``."""
    mean = values.mean(axis=1)
    return 100 * float(np.mean(np.abs(values[:, 1] - mean) / mean))
