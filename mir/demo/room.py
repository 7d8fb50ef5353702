"""From dry parts to a mix: space, panning, levels, and a limiter that does not clip hard."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]


def add(out: Signal, piece: NDArray[np.floating], begin: int) -> None:
    """Add a piece in place from sample `begin` on, cut to the ends; both of shape ``(…, n_samples)``."""
    first, last = max(begin, 0), min(begin + piece.shape[-1], out.shape[-1])
    if last > first:
        out[..., first:last] += piece[..., first - begin : last - begin]


def pan(y: Signal, position: float) -> Signal:
    """Place a mono part between left (−1) and right (1) at constant power; shape ``(2, n_samples)``."""
    angle = (position + 1.0) * np.pi / 4.0
    return np.stack([np.cos(angle) * y, np.sin(angle) * y]).astype(np.float32)


@lru_cache(maxsize=16)
def _impulse(decay_s: float, brightness_hz: float, sr: int) -> Signal:
    """Two unlike tails of decaying noise, darker as they fade; shape ``(2, n_samples)``."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(int(decay_s * 1e4) + int(brightness_hz))
    t = np.arange(int(min(1.1 * decay_s, 1.4) * sr)) / sr
    noise = rng.standard_normal((2, t.size)) * 10.0 ** (-3.0 * t / decay_s)
    pole = np.exp(-2.0 * np.pi * brightness_hz / sr)
    tail = lfilter([1.0 - pole], [1.0, -pole], noise)
    tail[:, : int(0.012 * sr)] *= 0.3
    tail /= np.sqrt((tail**2).sum(axis=1, keepdims=True))
    return tail.astype(np.float32)


def reverberate(y: Signal, sr: int, decay_s: float, brightness_hz: float) -> Signal:
    """Put a part into a room; the tail alone, shape ``(2, n_samples)``.

    Parameters
    ----------
    y
        Mono ``(n_samples,)``.
    sr
        Sample rate in Hz.
    decay_s
        Time to fall by 60 dB.
    brightness_hz
        Corner of the walls' absorption.
    """
    from scipy.signal import oaconvolve

    wet = oaconvolve(y[None, :], _impulse(decay_s, brightness_hz, sr), axes=1)
    return np.asarray(wet[:, : y.shape[-1]], np.float32)


def tone(y: Signal, sr: int, low_db: float, high_db: float) -> Signal:
    """Turn a desk's two knobs: a shelf below 200 Hz and one above 3 kHz; shape as given."""
    from scipy.signal import lfilter

    low, high = 10.0 ** (low_db / 20.0), 10.0 ** (high_db / 20.0)
    p, q = np.exp(-2.0 * np.pi * np.array([200.0, 3000.0]) / sr)
    # (low − 1) · lowpass(200) + lowpass(3000) + high · (1 − lowpass(3000)), over one denominator.
    lows, highs = np.array([1.0, -p]), np.array([1.0, -q])
    numerator = (low - 1.0) * (1.0 - p) * np.append(highs, 0.0) + high * np.convolve(lows, highs)
    numerator += (1.0 - high) * (1.0 - q) * np.append(lows, 0.0)
    denominator = np.convolve(lows, highs)
    return np.asarray(lfilter(numerator.astype(np.float32), denominator.astype(np.float32), y, axis=-1), np.float32)


def level(y: Signal, target_db: float) -> Signal:
    """Scale so that the loud parts' root mean square lies at `target_db` below full scale.

    Loud parts are the blocks within 20 dB of the loudest: rests do not make a part louder.
    """
    block = 8192
    n = y.shape[-1] // block
    power = (y[..., : n * block].reshape(-1, n, block) ** 2).mean(axis=(0, 2))
    if n == 0 or power.max() <= 0.0:
        return y
    active = power[power > power.max() * 0.01].mean()
    return (y * (10.0 ** (target_db / 20.0) / np.sqrt(active))).astype(np.float32)


def limit(stems: dict[str, Signal], ceiling: float = 0.95) -> dict[str, Signal]:
    """Hold the mixture's peaks below the ceiling by one smooth gain over time, the same for every stem.

    The stems still sum to the mixture.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    mixture = np.sum(list(stems.values()), axis=0)
    hop = 64
    peaks = np.abs(mixture).max(axis=0)
    n = -(-peaks.size // hop)
    blocks = np.pad(peaks, (0, n * hop - peaks.size)).reshape(n, hop).max(axis=1)
    held = maximum_filter1d(blocks, 31)
    gain = uniform_filter1d(np.minimum(1.0, ceiling / np.maximum(held, 1e-9)), 15)
    curve = np.interp(np.arange(peaks.size), (np.arange(n) + 0.5) * hop, gain).astype(np.float32)
    return {name: y * curve for name, y in stems.items()}
