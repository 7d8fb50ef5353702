"""What the vocal folds do: how periodic, how breathy, how steep the voice is.

References
----------
Boersma, Proceedings of the Institute of Phonetic Sciences 17, 1993 (harmonics-to-noise ratio from autocorrelation).
Hillenbrand, Cleveland and Erickson, Acoustic correlates of breathy vocal quality, Journal of Speech and Hearing
Research 37, 1994 (cepstral peak prominence, first against second harmonic).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.frames import Framing

Floats = NDArray[np.float32]

BREATH_BAND_HZ = (2000.0, 5000.0)
"""Where breath noise fills the valleys between harmonics."""

CEPSTRUM_FLOOR = 1e-9
LONGEST_PERIOD_S = 1 / 60
SHORTEST_PERIOD_S = 1 / 1100


def harmonics_to_noise_db(strength: Floats) -> Floats:
    """Ratio of periodic to other energy, 10 log₁₀(r / (1 − r)), from autocorrelation heights r; −10 to 40 dB."""
    r = np.clip(strength, 1 / 11, 1 - 1e-4)
    return (10 * np.log10(r / (1 - r))).astype(np.float32)


def cepstral_peak_prominence_db(power: Floats, f0_hz: Floats, sr: int) -> Floats:
    """Height of the cepstrum's peak at the period over the straight line through the cepstrum, shape ``(n_frames,)``.

    Parameters
    ----------
    power
        Power spectra, shape ``(n_frames, n_bins)``.
    f0_hz
        Shape ``(n_frames,)``, Hz.
    sr
        Sample rate in Hz.
    """
    from scipy.fft import irfft

    level = 10 * np.log10(np.maximum(power, CEPSTRUM_FLOOR * power.max(axis=1, keepdims=True)))
    first, last = int(SHORTEST_PERIOD_S * sr) - 2, int(LONGEST_PERIOD_S * sr) + 2
    height = 20 * np.log10(np.abs(irfft(level, axis=1)[:, first:last]) + 1e-6)
    lag = np.arange(first, last, dtype=np.float32)
    centred = lag - lag.mean()
    slope = height @ centred / np.sum(np.square(centred))
    period = np.clip(np.rint(sr / f0_hz).astype(np.intp) - first, 1, last - first - 2)
    rows = np.arange(len(power))
    peak = np.max([height[rows, period + shift] for shift in (-1, 0, 1)], axis=0)
    return (peak - height.mean(axis=1) - slope * centred[period]).astype(np.float32)


def first_to_second_harmonic_db(power: Floats, f0_hz: Floats, bin_hz: float) -> Floats:
    """Level of the first harmonic over the second, shape ``(n_frames,)``; large for breathy and flute-like voices."""
    rows = np.arange(len(power))
    last = power.shape[1] - 2
    levels = []
    for k in (1, 2):
        near = np.clip(np.rint(k * f0_hz / bin_hz).astype(np.intp), 1, last)
        levels.append(np.max([power[rows, near + d] for d in (-1, 0, 1)], axis=0))
    tiny = CEPSTRUM_FLOOR * power.max(axis=1)
    return (10 * np.log10((levels[0] + tiny) / (levels[1] + tiny))).astype(np.float32)


def breath_share(framing: Framing, power: Floats, f0_hz: Floats) -> Floats:
    """Share of aperiodic energy between 2 and 5 kHz, 0 (all harmonic) to 1 (all noise), shape ``(n_frames,)``.

    The autocorrelation of that band, r(τ) = Σ P(f) cos(2πfτ), at one period over the one at 0, freed of the window's.
    """
    inside = (framing.frequencies_hz > BREATH_BAND_HZ[0]) & (framing.frequencies_hz < BREATH_BAND_HZ[1])
    band = power[:, inside]
    turns = framing.frequencies_hz[inside] / f0_hz[:, None]
    height = np.einsum("ij,ij->i", band, np.cos(np.float32(2 * np.pi) * turns))
    own = np.interp(framing.sr / f0_hz, np.arange(framing.frame_length), framing.window_autocorrelation)
    energy = np.maximum(band.sum(axis=1), np.finfo(np.float32).tiny)
    return np.clip(1 - height / (energy * own), 0.0, 1.0).astype(np.float32)
