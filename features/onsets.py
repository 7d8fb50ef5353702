"""Where something begins: band energies of a signal, their rises, and the onsets picked from them.

Everything is relative to the signal's own level in each band: a gain changes nothing, an equaliser little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base import Samples
from features.errors import TooShort

Floats = NDArray[np.float32]

ONSET_SR = 22050
"""Sample rate in Hz at which onsets are found; every input is brought to it, so a file's own rate decides nothing."""
HOP_LENGTH = 110
FRAME_RATE_HZ = ONSET_SR / HOP_LENGTH
N_FFT = 1024
BAND_EDGES_HZ = (
    32, 65, 108, 160, 230, 330, 450, 600, 800, 1050, 1400, 1850, 2450, 3200, 4200, 5500, 7200, 9000, 10800,
)  # fmt: skip
N_BANDS = len(BAND_EDGES_HZ) - 1
RANGE_BELS = 3.5
"""How far under its own loud moments (99th percentile) a band is listened to: 35 dB."""
SHORTEST_S = 1.0

_BEFORE, _AFTER = np.arange(-7, -3), np.arange(12, 22)  # frames
_LAG = 3  # frames, 15 ms: the analysis window needs about that long to fill with a new sound
_CHUNK = 512  # frames; small enough that a chunk's spectra stay in the processor's cache


@dataclass(frozen=True, slots=True)
class OnsetCurves:
    """Band energies of a signal, log-compressed, and how fast they rise.

    Parameters
    ----------
    power
        Band power, arbitrary unit, shape ``(n_bands, n_frames)``.
    level
        Log-compressed band power: 0 at 35 dB under the band's loud moments, 1 at those; same shape.
    rise
        Half-wave rectified growth of `level` over 15 ms, same shape, at least 0.
    """

    power: Floats
    level: Floats
    rise: Floats

    @property
    def n_frames(self) -> int:
        """Number of frames, `FRAME_RATE_HZ` of them a second."""
        return int(self.rise.shape[1])

    @property
    def total(self) -> Floats:
        """Mean rise over the bands, shape ``(n_frames,)``."""
        return self.rise.mean(axis=0)


@dataclass(frozen=True, slots=True)
class Onsets:
    """Onsets in order of time.

    Parameters
    ----------
    times_s
        Seconds from the beginning, shape ``(n_onsets,)``, finer than a frame.
    strength
        Height of the onset curve, shape ``(n_onsets,)``.
    rise, level
        What the bands do at each onset, 0 to about 1, shape ``(n_onsets, n_bands)``.
    before, after
        Mean level of the bands 20 to 35 ms before each onset and 60 to 105 ms after it: what still rang, and what rings
        on; same shape.
    power_db
        Power of the 50 ms after each onset in dB, arbitrary reference, shape ``(n_onsets,)``.
    """

    times_s: NDArray[np.float64]
    strength: Floats
    rise: Floats
    level: Floats
    before: Floats
    after: Floats
    power_db: Floats

    def __len__(self) -> int:
        return int(self.times_s.size)


def onset_curves(y: Samples) -> OnsetCurves:
    """Band energies and their rises.

    Parameters
    ----------
    y
        Mono signal at `ONSET_SR`, shape ``(n_samples,)``.

    Raises
    ------
    TooShort
        Below `SHORTEST_S` seconds.

    References
    ----------
    Bello, Daudet, Abdallah, Duxbury, Davies, Sandler: "A tutorial on onset detection in music signals", IEEE TSAP 2005.
    """
    if y.size < SHORTEST_S * ONSET_SR:
        raise TooShort(f"{y.size / ONSET_SR:.2f} s of sound; onsets need at least {SHORTEST_S:g} s")
    power = _band_power(y)
    total = power.sum(axis=0)
    heard = power[:, total > 1e-5 * total.max()] if total.max() > 0 else power
    reference = np.percentile(heard, 99, axis=1, keepdims=True).astype(np.float32)
    floor = np.maximum(reference * 10**-RANGE_BELS, reference.max() * 1e-8)
    floor = np.maximum(floor, np.finfo(np.float32).tiny)
    level = np.log1p(power / floor) / np.float32(np.log1p(10**RANGE_BELS))
    rise = np.zeros_like(level)
    np.maximum(level[:, _LAG:] - level[:, :-_LAG], 0, out=rise[:, _LAG:])
    return OnsetCurves(power, level, rise)


def find_onsets(curves: OnsetCurves, threshold: float = 0.03, wait_s: float = 0.03) -> Onsets:
    """Pick the onsets of all bands together.

    Parameters
    ----------
    curves
        From `onset_curves`.
    threshold
        How far a peak must stand over the curve's mean in the 200 ms around it.
    wait_s
        Shortest time between two onsets.

    Returns
    -------
    Onsets
        Within about 5 ms of the sounds' beginnings.
    """
    curve = curves.total
    frames = pick_peaks(curve, threshold, round(wait_s * FRAME_RATE_HZ))
    n = curves.n_frames
    frames = frames[frames < n - _LAG - 1]  # what is cut off as it begins cannot be told

    def around(array: Floats, first: int, last: int) -> Floats:
        at = np.clip(frames[:, None] + np.arange(first, last + 1), 0, n - 1)
        return array[:, at].max(axis=2).T

    def mean_level(offsets: NDArray[np.intp]) -> Floats:
        return curves.level[:, np.clip(frames[:, None] + offsets, 0, n - 1)].mean(axis=2).T

    after = np.clip(frames[:, None] + np.arange(10), 0, n - 1)
    power = curves.power.sum(axis=0)
    power_db = 10 * np.log10(np.maximum(power[after].mean(axis=1), np.finfo(np.float32).tiny))
    return Onsets(
        times_s=(frames + _parabola(curve, frames)) / FRAME_RATE_HZ,
        strength=curve[frames],
        rise=around(curves.rise, -2, 3),
        level=around(curves.level, 0, 6),
        before=mean_level(_BEFORE),
        after=mean_level(_AFTER),
        power_db=power_db.astype(np.float32),
    )


def times_in_bands(curves: OnsetCurves, onsets: Onsets, bands: slice, weakest: float = 0.1) -> NDArray[np.float64]:
    """When the given bands rise at each onset, for sounds that begin sharper there than in all bands together.

    Parameters
    ----------
    curves, onsets
        Of one signal.
    bands
        Bands of `BAND_EDGES_HZ`.
    weakest
        Mean rise of the bands below which nothing is said.

    Returns
    -------
    NDArray[np.float64]
        Seconds, shape ``(n_onsets,)``; NaN where the bands do not rise.
    """
    rise = curves.rise[bands].mean(axis=0)
    # The steepest growth of the amplitude, unlike that of its logarithm, comes no earlier for a louder stroke.
    growth = np.gradient(np.sqrt(curves.power[bands].sum(axis=0)))
    frame = np.round(onsets.times_s * FRAME_RATE_HZ).astype(np.intp)
    near = np.clip(frame[:, None] + np.arange(-4, 6), 0, rise.size - 1)
    steepest = near[np.arange(len(onsets)), growth[near].argmax(axis=1)]
    times = (steepest + _parabola(growth, steepest)) / FRAME_RATE_HZ
    return np.where(rise[near].max(axis=1) >= weakest, times, np.nan)


def pick_peaks(curve: Floats, threshold: float, wait: int) -> NDArray[np.intp]:
    """Frames at which a curve has a local maximum that stands out.

    Parameters
    ----------
    curve
        Shape ``(n_frames,)`` at `FRAME_RATE_HZ`.
    threshold
        How far over the mean of the 200 ms around it.
    wait
        Frames between two peaks, at least.

    References
    ----------
    Böck, Krebs, Schedl: "Evaluating the online capabilities of onset detection methods", ISMIR 2012.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    top = maximum_filter1d(curve, 9)
    mean = uniform_filter1d(curve, 41)
    frames = np.flatnonzero((curve == top) & (curve > mean + threshold))
    if frames.size > 1:
        frames = frames[np.concatenate([[True], np.diff(frames) > wait])]
    return frames


def _parabola(curve: Floats, frames: NDArray[np.intp]) -> NDArray[np.float64]:
    """Offset in frames, −0.5 to 0.5, of the vertex of the parabola through each peak and its neighbours."""
    left = curve[np.maximum(frames - 1, 0)].astype(np.float64)
    right = curve[np.minimum(frames + 1, curve.size - 1)].astype(np.float64)
    bend = left - 2 * curve[frames] + right
    return np.clip(np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0), -0.5, 0.5)


def _band_power(y: Samples) -> Floats:
    """Power in `BAND_EDGES_HZ`, shape ``(n_bands, n_frames)``; frame `t` is centred on sample ``t · HOP_LENGTH``."""
    from scipy import fft

    frequency = np.fft.rfftfreq(N_FFT, 1 / ONSET_SR)
    edges = np.asarray(BAND_EDGES_HZ)
    bands = ((frequency[:, None] >= edges[:-1]) & (frequency[:, None] < edges[1:])).astype(np.float32)
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    padded = np.pad(y.astype(np.float32, copy=False), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    out = np.empty((len(frames), N_BANDS), dtype=np.float32)
    for start in range(0, len(frames), _CHUNK):
        spectrum = fft.rfft(frames[start : start + _CHUNK] * window, axis=1)
        out[start : start + _CHUNK] = (spectrum.real**2 + spectrum.imag**2) @ bands
    return np.ascontiguousarray(out.T)
