"""Loudness as broadcasters measure it: EBU R 128, after ITU-R BS.1770.

References
----------
ITU-R BS.1770-4: "Algorithms to measure audio programme loudness and true-peak audio level", 2015.
EBU Tech 3341 and 3342: "Loudness metering: 'EBU mode' metering" and "Loudness range", 2016.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from features.base import Samples
from features.errors import TooShort

Doubles = NDArray[np.float64]

ABSOLUTE_GATE_LUFS = -70.0
_OFFSET_LUFS = -0.691
_STEP_S = 0.1
_BLOCK_STEPS = 4  # 400 ms, overlapping by three quarters
_SHORT_TERM_STEPS = 30  # 3 s
_SURROUND_GAINS = {
    4: (1.0, 1.0, 1.41, 1.41),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),  # left, right, centre, low-frequency effects (not counted), surrounds
}


def integrated_loudness_lufs(y: Samples, sr: int) -> float:
    """Gated loudness of a whole programme.

    Parameters
    ----------
    y
        Shape ``(n_channels, n_samples)``; six channels are L R C LFE Ls Rs.
    sr
        Sample rate in Hz.

    Returns
    -------
    float
        LUFS; −inf for silence. Under 400 ms, the loudness of what there is, ungated but for the absolute gate.
    """
    return _gated_lufs(_blocks(_step_powers(y, sr), _BLOCK_STEPS))


def loudness_range_lu(y: Samples, sr: int) -> float:
    """Spread of the short-term loudness, from its 10th to its 95th percentile, gated.

    Parameters
    ----------
    y
        Shape ``(n_channels, n_samples)``.
    sr
        Sample rate in Hz.

    Returns
    -------
    float
        LU, at least 0; 0 for silence.

    Raises
    ------
    TooShort
        Below 3 s.
    """
    return _range_lu(_step_powers(y, sr))


def loudness_and_range(y: Samples, sr: int) -> tuple[float, float]:
    """`integrated_loudness_lufs` and `loudness_range_lu` from one filtering; the range is NaN below 3 s."""
    steps = _step_powers(y, sr)
    return _gated_lufs(_blocks(steps, _BLOCK_STEPS)), _range_lu(steps) if steps.size >= _SHORT_TERM_STEPS else math.nan


def k_weighting(sr: int) -> Doubles:
    """Filter of BS.1770 for any rate: a shelf for the head, then a high pass.

    Parameters
    ----------
    sr
        Sample rate in Hz.

    Returns
    -------
    Doubles
        Two second-order sections, shape ``(2, 6)``: b0 b1 b2 a0 a1 a2. At 48 kHz, the standard's own coefficients.

    References
    ----------
    De Man: "Evaluation of implementations of the EBU R128 loudness measurement", AES 145, 2018.
    """
    k = math.tan(math.pi * min(1681.974450955533, 0.49 * sr) / sr)
    q, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = gain**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (gain + band * k / q + k * k) / a0, 2 * (k * k - gain) / a0, (gain - band * k / q + k * k) / a0,
        1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0,
    ]  # fmt: skip
    k = math.tan(math.pi * 38.13547087602444 / sr)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])


def _step_powers(y: Samples, sr: int) -> Doubles:
    """K-weighted power of each 100 ms, summed over the channels with their gains, shape ``(n_steps,)``."""
    from scipy.signal import sosfilt

    if y.ndim != 2:
        raise ValueError(f"samples of shape {y.shape}; loudness needs (n_channels, n_samples)")
    n_channels, n_samples = y.shape
    gains = np.array(_SURROUND_GAINS.get(n_channels, (1.0,) * n_channels))
    step = round(_STEP_S * sr)
    n_steps = n_samples // step
    if n_steps == 0:
        step, n_steps = max(1, n_samples), min(1, n_samples)
    sections = k_weighting(sr)
    total = np.zeros(n_steps)
    for channel, gain in zip(y, gains, strict=True):
        if gain == 0 or n_steps == 0:
            continue
        weighted = sosfilt(sections, channel)[: n_steps * step].reshape(n_steps, step)
        total += gain * np.einsum("ij,ij->i", weighted, weighted) / step
    return total


def _blocks(steps: Doubles, n: int) -> Doubles:
    """Mean power of every `n` neighbouring steps; of all there are where there are fewer."""
    if steps.size == 0:
        return steps
    n = min(n, steps.size)
    return np.lib.stride_tricks.sliding_window_view(steps, n).mean(axis=1)


def _lufs(power: Doubles) -> Doubles:
    with np.errstate(divide="ignore"):
        return _OFFSET_LUFS + 10 * np.log10(power)


def _gated_lufs(blocks: Doubles) -> float:
    heard = blocks[_lufs(blocks) > ABSOLUTE_GATE_LUFS]
    if heard.size == 0:
        return -math.inf
    heard = heard[heard > heard.mean() * 10**-1.0]
    return float(_lufs(heard.mean()))


def _range_lu(steps: Doubles) -> float:
    if steps.size < _SHORT_TERM_STEPS:
        raise TooShort(f"{steps.size * _STEP_S:.1f} s of sound; a loudness range needs at least 3 s")
    blocks = _blocks(steps, _SHORT_TERM_STEPS)
    heard = blocks[_lufs(blocks) > ABSOLUTE_GATE_LUFS]
    if heard.size == 0:
        return 0.0
    heard = heard[heard > heard.mean() * 10**-2.0]
    low, high = np.percentile(_lufs(heard), [10, 95])
    return float(high - low)
