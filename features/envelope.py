"""The spectral envelope of a voice without its pitch: what the vocal tract does, not which note is sung.

References
----------
Kawahara, Masuda-Katsuse and de Cheveigné, Restructuring speech representations using a pitch-adaptive
time-frequency smoothing, Speech Communication 27, 1999 (smoothing over one harmonic distance).
Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition in continuously
spoken sentences, IEEE Transactions on Acoustics, Speech, and Signal Processing 28, 1980 (mel cepstrum).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FLOOR = 1e-8
"""Power under a frame's maximum (−80 dB) that counts as nothing, so that codec holes do not speak."""


def smooth_envelope(power: Floats, f0_hz: Floats, sr: int) -> Floats:
    """Smooth power spectra over one harmonic distance, so that the harmonics of `f0_hz` vanish.

    A triangle of half-width f0 in frequency is sinc² in lag, with zeros at every period: E = F{F⁻¹{P} · sinc²(f0 τ)}.

    Parameters
    ----------
    power
        Power spectra, shape ``(n_frames, n_bins)`` of a real transform of even length.
    f0_hz
        Shape ``(n_frames,)``, Hz.
    sr
        Sample rate in Hz.

    Returns
    -------
    ndarray
        Shape ``(n_frames, n_bins)``, power, above the floor everywhere.
    """
    from scipy.fft import irfft, rfft

    n_fft = 2 * (power.shape[1] - 1)
    lag = np.arange(n_fft)
    lag_s = (np.minimum(lag, n_fft - lag) / sr).astype(np.float32)
    smooth = rfft(irfft(power, axis=1) * np.square(np.sinc(f0_hz[:, None] * lag_s)), axis=1).real
    return np.maximum(smooth, FLOOR * smooth.max(axis=1, keepdims=True))


def harmonic_envelope_db(power: Floats, f0_hz: Floats, bin_hz: float, grid_hz: Floats) -> Floats:
    """Draw a curve (in dB) through the tops of the harmonics; what lies between them, bleed too, is not seen.

    Between two harmonics the curve is a Catmull–Rom spline, so that a resonance may lie between them; under the first
    one its height goes on.

    Parameters
    ----------
    power, f0_hz
        As for `smooth_envelope`.
    bin_hz
        Distance of the bins in Hz.
    grid_hz
        Where to read the curve, shape ``(n_points,)``.

    Returns
    -------
    ndarray
        Shape ``(n_frames, n_points)``, dB.
    """
    top = power.copy()
    np.maximum(top[:, 1:], power[:, :-1], out=top[:, 1:])
    np.maximum(top[:, :-1], power[:, 1:], out=top[:, :-1])
    level = 10 * np.log10(np.maximum(top, FLOOR * top.max(axis=1, keepdims=True)))
    n_harmonics = int(np.ceil(grid_hz[-1] / f0_hz.min())) + 2
    number = np.maximum(np.arange(-1, n_harmonics + 1), 1)  # harmonics −1 and 0 stand in under the first
    place = np.minimum(np.rint(number * (f0_hz[:, None] / bin_hz)).astype(np.intp), power.shape[1] - 1)
    heights = np.take_along_axis(level, place, axis=1)
    position = grid_hz / f0_hz[:, None]
    below = position.astype(np.intp)
    t = position - below
    before, here, after, beyond = (np.take_along_axis(heights, below + i, axis=1) for i in range(4))
    curve = here + 0.5 * t * (
        after - before + t * (2 * before - 5 * here + 4 * after - beyond + t * (3 * (here - after) + beyond - before))
    )
    return curve.astype(np.float32)


def mel_points(n_points: int, low_hz: float, high_hz: float) -> Floats:
    """Frequencies equally spaced in mel (O'Shaughnessy, 1987), in Hz, shape ``(n_points,)``."""
    low, high = 2595 * np.log10(1 + low_hz / 700), 2595 * np.log10(1 + high_hz / 700)
    return (700 * (10 ** (np.linspace(low, high, n_points) / 2595) - 1)).astype(np.float32)


def mel_filters(frequencies_hz: Floats, n_bands: int, low_hz: float, high_hz: float) -> Floats:
    """Triangles of unit sum, equally spaced in mel, shape ``(n_bands, n_bins)``."""
    edges = mel_points(n_bands + 2, low_hz, high_hz)
    rise = (frequencies_hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequencies_hz) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0, np.minimum(rise, fall))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def cepstrum(level_db: Floats, n_coefficients: int) -> Floats:
    """Cosine transform of band levels without c0, the loudness: shape ``(n_frames, n_coefficients)``."""
    from scipy.fft import dct

    return np.asarray(dct(level_db, axis=-1, norm="ortho"))[:, 1 : n_coefficients + 1]
