"""What a studio does to an instrument: drive, cabinet, compressor, equaliser, room, width, limiter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from separation.training.room import reverberate

BAND_EDGES_HZ = (0.0, 60.0, 120.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 12000.0, 16000.0)
BAND_LEVELS_DB: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "drums": (
        (-7.3, -4.9, -6.6, -13.1, -17.0, -19.3, -17.4, -16.5, -20.9, -27.1),
        (5.8, 2.9, 3.1, 4.4, 4.3, 4.0, 4.8, 5.7, 7.6, 9.1),
    ),
    "bass": (
        (-13.7, -2.5, -5.8, -18.9, -29.4, -36.8, -43.9, -53.6, -59.5, -62.2),
        (9.1, 2.3, 4.2, 5.8, 7.2, 10.0, 11.4, 9.1, 7.3, 6.7),
    ),
    "other": (
        (-36.1, -16.3, -7.6, -5.8, -7.3, -9.9, -12.1, -22.3, -38.7, -47.9),
        (9.7, 9.2, 4.7, 2.6, 3.3, 3.6, 5.2, 7.2, 10.8, 11.9),
    ),
}
"""Median and standard deviation of each band's share of a stem's energy. Measured, like `SIDE_LEVEL_DB` (level of
left − right relative to left + right), on the 80 training tracks of the 7-second previews of MUSDB18."""
SIDE_LEVEL_DB = {"drums": (-12.3, 5.0), "bass": (-23.9, 8.0), "other": (-6.7, 4.2)}
CREST_DB = {"drums": (18.9, 2.9), "bass": (11.5, 2.9), "other": (14.1, 1.8)}
"""Median and standard deviation of peak over root mean square level, measured on the same tracks."""

_BLOCK = 64  # samples to a value of a compressor's gain


def produce(y: NDArray[np.float32], sr: int, role: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Put an instrument through a chain of effects as such instruments usually get them.

    Parameters
    ----------
    y
        Stereo samples, shape ``(2, n_samples)``.
    sr
        Sample rate in Hz.
    role
        ``drums``, ``bass``, ``guitar`` (through an amplifier) or ``other``.
    rng
        Where the chain and its settings come from.

    Returns
    -------
    produced
        Shape ``(2, n_samples)``, at no particular level.
    """
    stem = "other" if role == "guitar" else role
    y = y / max(float(np.sqrt(np.mean(y**2))), 1e-9) * np.float32(0.1)
    if role == "guitar":
        y = cabinet(drive(y, sr, rng.uniform(6.0, 36.0)), sr, rng.uniform(3500.0, 7000.0))
    elif rng.random() < {"bass": 0.4, "drums": 0.2}.get(role, 0.1):
        y = drive(y, sr, rng.uniform(0.0, 12.0))
        if role == "bass":
            y = cabinet(y, sr, rng.uniform(2500.0, 6000.0))
    if rng.random() < {"bass": 0.7, "drums": 0.6, "guitar": 0.3}.get(role, 0.3):
        slow = role == "drums"
        attack_s = rng.uniform(0.005, 0.03) if slow else rng.uniform(0.002, 0.02)
        y = compress(y, sr, rng.uniform(-26.0, -14.0), rng.uniform(2.0, 6.0), attack_s, rng.uniform(0.05, 0.3))
    y = colour(y, sr, stem, rng)
    if rng.random() < {"bass": 0.05, "drums": 0.5}.get(role, 0.6):
        small = role in ("drums", "bass") or rng.random() < 0.3
        y = _small_room(y, sr, rng) if small else _large_room(y, sr, rng)
    median, spread = SIDE_LEVEL_DB[stem]
    y = widen(y, float(np.clip(rng.normal(median, spread), -40.0, 0.0)))
    median, spread = CREST_DB[stem]
    return limit(y, sr, float(np.clip(rng.normal(median, spread), median - 4.0, median + 6.0)))


def drive(y: NDArray[np.float32], sr: int, gain_db: float) -> NDArray[np.float32]:
    """Overdrive as a valve stage gives it: a biased hyperbolic tangent, which adds even and odd harmonics.

    Four times oversampled, so that the harmonics above half the sample rate do not fold back; a coupling capacitor
    takes away the direct current that the bias makes of loud sound.
    """
    from scipy.signal import butter, resample_poly, sosfilt

    bias = 0.2
    above = resample_poly(y * 10.0 ** (gain_db / 20.0), 4, 1, axis=-1)
    shaped = np.tanh(above + bias) - np.tanh(bias)
    below = resample_poly(shaped, 1, 4, axis=-1)[..., : y.shape[-1]]
    coupled: NDArray[np.float32] = sosfilt(butter(1, 15.0, "highpass", fs=sr, output="sos"), below, axis=-1)
    return coupled.astype(np.float32)


def cabinet(y: NDArray[np.float32], sr: int, cutoff_hz: float) -> NDArray[np.float32]:
    """What a guitar's loudspeaker lets through: little below 35 Hz, and above `cutoff_hz` 24 dB less an octave."""
    from scipy.signal import butter, sosfilt

    filters = np.concatenate(
        [butter(2, 35.0, "highpass", fs=sr, output="sos"), butter(4, cutoff_hz, "lowpass", fs=sr, output="sos")]
    )
    through: NDArray[np.float32] = sosfilt(filters, y, axis=-1).astype(np.float32)
    return through


def compress(
    y: NDArray[np.float32], sr: int, threshold_db: float, ratio: float, attack_s: float, release_s: float
) -> NDArray[np.float32]:
    """Compress both channels together: above the threshold, `ratio` dB more in give 1 dB more out.

    References
    ----------
    D. Giannoulis, M. Massberg and J. D. Reiss, "Digital dynamic range compressor design", JAES, 2012 (feed-forward,
    smoothed in the logarithmic domain).
    """
    wanted_db = np.maximum(_peaks_db(y) - threshold_db, 0.0) * (1.0 - 1.0 / ratio)
    rise, fall = (float(np.exp(-_BLOCK / (sr * seconds))) for seconds in (attack_s, release_s))
    return _softened(y, _followed(wanted_db, rise, fall))


def limit(y: NDArray[np.float32], sr: int, crest_db: float) -> NDArray[np.float32]:
    """Keep peaks to about `crest_db` above the root mean square level; it looks ahead, so nothing is cut off."""
    level_db = 10.0 * np.log10(float(np.mean(y**2)) + 1e-12)
    over_db = np.maximum(_peaks_db(y) - level_db - crest_db, 0.0)
    ahead = np.maximum(over_db, np.maximum(np.append(over_db[1:], 0.0), np.append(0.0, over_db[:-1])))
    return _softened(y, _followed(ahead, 0.0, float(np.exp(-_BLOCK / (sr * 0.08)))))


def _peaks_db(y: NDArray[np.float32]) -> NDArray[np.float64]:
    """Peak of both channels in each block, in dBFS."""
    n_blocks = -(-y.shape[-1] // _BLOCK)
    padded = np.pad(y, ((0, 0), (0, n_blocks * _BLOCK - y.shape[-1])))
    peaks = np.abs(padded).reshape(y.shape[0], n_blocks, _BLOCK).max(axis=(0, 2))
    return 20.0 * np.log10(peaks.astype(np.float64) + 1e-9)


def _followed(wanted_db: NDArray[np.float64], rise: float, fall: float) -> NDArray[np.float64]:
    """Follow a curve with one inertia (0 to 1) upwards and another downwards."""
    followed = np.empty(wanted_db.size)
    state = 0.0
    for index, wanted in enumerate(wanted_db.tolist()):
        keep = rise if wanted > state else fall
        state = keep * state + (1.0 - keep) * wanted
        followed[index] = state
    return followed


def _softened(y: NDArray[np.float32], reduction_db: NDArray[np.float64]) -> NDArray[np.float32]:
    """Make each block softer, with a gain that moves in straight lines from block to block."""
    at = np.arange(y.shape[-1]) / _BLOCK
    gain = 10.0 ** (-np.interp(at, np.arange(reduction_db.size) + 0.5, reduction_db) / 20.0)
    return (y * gain).astype(np.float32)


def colour(y: NDArray[np.float32], sr: int, stem: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Equalise part of the way towards a spectrum drawn from those of real stems, by at most 12 dB in any band.

    Synthesizers give a duller or cleaner spectrum than a mixed record has; this is the engineer's equaliser. It
    changes no phase.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    n_fft = next_fast_len(y.shape[-1], real=True)
    D = rfft(y, n_fft, axis=-1)
    frequencies = np.fft.rfftfreq(n_fft, 1.0 / sr)
    power = (np.abs(D) ** 2).sum(axis=0)
    lows = np.searchsorted(frequencies, BAND_EDGES_HZ)
    shares = np.array([power[a:b].sum() for a, b in pairwise(lows)]) / max(power.sum(), 1e-20)
    median, spread = np.array(BAND_LEVELS_DB[stem])
    wanted_db = median + spread * np.clip(rng.normal(size=median.size), -1.5, 1.5) * 0.7
    gain_db = np.clip((wanted_db - 10.0 * np.log10(shares + 1e-7)) * rng.uniform(0.3, 0.9), -12.0, 12.0)
    centres = np.sqrt(np.maximum(BAND_EDGES_HZ[:-1], 20.0) * np.array(BAND_EDGES_HZ[1:]))
    curve_db = np.interp(np.log(np.maximum(frequencies, 1.0)), np.log(centres), gain_db)
    coloured: NDArray[np.float32] = irfft(D * (10.0 ** (curve_db / 20.0)).astype(np.float32), n_fft, axis=-1)[
        :, : y.shape[-1]
    ]
    return coloured.astype(np.float32)


def widen(y: NDArray[np.float32], side_db: float) -> NDArray[np.float32]:
    """Bring the difference of the channels to a level relative to their sum; one of mono stays mono."""
    middle, side = (y[0] + y[1]) / 2.0, (y[0] - y[1]) / 2.0
    is_db = 10.0 * np.log10((np.mean(side**2) + 1e-12) / (np.mean(middle**2) + 1e-12))
    side = side * np.float32(min(2.0, 10.0 ** ((side_db - is_db) / 20.0)))
    return np.stack([middle + side, middle - side])


def _small_room(y: NDArray[np.float32], sr: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add the answer of a small room: decaying noise of a few tenths of a second, another for each channel."""
    from scipy.signal import fftconvolve

    n = int(sr * rng.uniform(0.08, 0.35))
    response = rng.standard_normal((2, n)) * 10.0 ** (-3.0 * np.arange(n) / n)
    response *= 10.0 ** (rng.uniform(-20.0, -8.0) / 20.0) / np.sqrt((response**2).sum(axis=-1, keepdims=True))
    answer = fftconvolve(y, response, axes=-1)[:, : y.shape[-1]]
    return (y + answer).astype(np.float32)


def _large_room(y: NDArray[np.float32], sr: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add a large room's answer to what stays as wide as it was."""
    return (y + reverberate(y, sr, rng) - y.mean(axis=0)).astype(np.float32)
