"""Rooms for dry recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def reverberate(y: NDArray[np.float32], sr: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Put a dry recording into a random room.

    The room is exponentially decaying noise (Moorer's model) with its own decay time, pre-delay, brightness and
    share of the sound; the two channels decay independently, so the result is wide.

    Parameters
    ----------
    y
        Samples, shape ``(n_channels, n_samples)``, of one or two channels.
    sr
        Sample rate in Hz.
    rng
        Where the room comes from.

    Returns
    -------
    wet
        Stereo samples, shape ``(2, n_samples)``.

    References
    ----------
    J. A. Moorer, "About this reverberation business", Computer Music Journal, 1979.
    """
    from scipy.signal import oaconvolve

    decay_s = rng.uniform(0.3, 1.8)
    pre_delay = int(sr * rng.uniform(0.0, 0.03))
    wet_db = rng.uniform(-24.0, -9.0)
    n = int(sr * decay_s)
    envelope = (10.0 ** (-3.0 * np.arange(n) / n)).astype(np.float32)
    response = rng.standard_normal((2, n), np.float32) * envelope
    response = np.cumsum(response * np.float32(0.4), axis=-1) * np.float32(0.15) + response * np.float32(
        rng.uniform(0.1, 0.6)
    )
    response -= response.mean(axis=-1, keepdims=True)
    response = np.pad(response, ((0, 0), (pre_delay, 0)))
    response /= np.sqrt((response**2).sum(axis=-1, keepdims=True))
    source = y.mean(axis=0, keepdims=True)
    wet = oaconvolve(source, response, axes=-1)[:, : y.shape[-1]]
    return (y + wet * np.float32(10.0 ** (wet_db / 20.0) * 2.0)).astype(np.float32)
