"""Pictures of sound: spectrograms with bands of equal pitch, outlines of waveforms, from blocks as they come.

Pages of the web and reports show the same: a sound looks alike wherever it is met.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

COLUMNS: Final = 1200
"""At most so many columns has a spectrogram, and points an outline."""

N_BANDS: Final = 120
"""Rows of a spectrogram: 14 an octave, a little finer than semitones."""

RANGE_DB: Final = 75.0
"""From the loudest to what is drawn as silence."""

TICKS_HZ: Final = (100, 300, 1000, 3000, 10000)

_LOW_HZ: Final = 40.0
_HIGH_HZ: Final = 16_000.0
_N_FFT: Final = 4096
_HOP_LENGTH: Final = 1024
_FRAMES_AT_ONCE: Final = 256
_LEAST_POWER: Final = 1e-12


@dataclass(frozen=True, slots=True)
class SoundPicture:
    """What is drawn of a sound.

    Parameters
    ----------
    decibels
        Power in bands of equal pitch, shape ``(N_BANDS, n_columns)``, lowest band first; a sine of full scale has
        about 0 dB, and nothing less than -120 dB. Of several channels it is that of their mean.
    lowest, highest
        Of the samples of all channels in each of up to `COLUMNS` even stretches, shape ``(n_points,)``, full scale ±1.
    power
        Mean square of all samples.
    """

    decibels: NDArray[np.float32]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    power: float


def picture(blocks: Iterable[Samples], sr: int, n_samples: int) -> SoundPicture:
    """Scan a sound for its picture; memory does not grow with its length.

    Parameters
    ----------
    blocks
        The samples, each float32 ``(n_channels, n)``, in blocks of any length.
    sr
        Their rate, Hz.
    n_samples
        How many they are in all, at least one.
    """
    bands = _Bands(sr, n_samples)
    starts = np.unique(np.linspace(0, n_samples, COLUMNS, endpoint=False).astype(int))
    lowest, highest = np.full(len(starts), np.inf, np.float32), np.full(len(starts), -np.inf, np.float32)
    at, squares, n_channels = 0, 0.0, 1
    for y in blocks:
        if not y.size:
            continue
        inside = starts[np.searchsorted(starts, at, "right") : np.searchsorted(starts, at + y.shape[1])]
        cuts = np.concatenate([[0], inside - at])
        points = np.searchsorted(starts, at + cuts, "right") - 1
        lowest[points] = np.minimum(lowest[points], np.minimum.reduceat(y.min(axis=0), cuts))
        highest[points] = np.maximum(highest[points], np.maximum.reduceat(y.max(axis=0), cuts))
        squares += float(np.square(y, dtype=np.float64).sum())
        n_channels = len(y)
        at += y.shape[1]
        bands.add(y.mean(axis=0))
    return SoundPicture(bands.decibels(), lowest, highest, squares / (n_samples * n_channels))


def edges_hz() -> NDArray[np.float64]:
    """Return band edges in Hz, evenly spaced in pitch, shape ``(N_BANDS + 1,)``."""
    return np.geomspace(_LOW_HZ, _HIGH_HZ, N_BANDS + 1)


def band_of(frequency_hz: float) -> float:
    """Return where a frequency stands among the bands, 0 to `N_BANDS`."""
    return float(np.interp(np.log(frequency_hz), np.log(edges_hz()), np.arange(N_BANDS + 1)))


def tick_name(frequency_hz: int) -> str:
    """Write a frequency as axes show it."""
    return f"{frequency_hz} Hz" if frequency_hz < 1000 else f"{frequency_hz // 1000} kHz"


def png(decibels: NDArray[np.float32], top_db: float) -> bytes:
    """Return a spectrogram as a PNG, a pixel a band and column, low bands below; `top_db` is the brightest."""
    import matplotlib as mpl
    from matplotlib.image import imsave

    shades = np.clip((decibels - top_db) / RANGE_DB + 1.0, 0.0, 1.0)
    buffer = io.BytesIO()
    imsave(buffer, mpl.colormaps["magma"](shades, bytes=True), format="png", origin="lower")
    return buffer.getvalue()


class _Bands:
    """The mean power spectrum of each column, in bands; frames that lie half before or behind the sound count too."""

    def __init__(self, sr: int, n_samples: int) -> None:
        n_frames = 1 + n_samples // _HOP_LENGTH
        self._together = -(-n_frames // COLUMNS)
        starts = np.arange(0, n_frames, self._together)
        self._counts = np.diff(starts, append=n_frames)
        self._power = np.zeros((len(starts), N_BANDS))
        self._weights = _weights(sr).T
        window = np.hanning(_N_FFT)
        self._window = (window * (2 / window.sum())).astype(np.float32)
        self._frame = 0
        self._waiting = np.zeros(_N_FFT // 2, np.float32)

    def add(self, mono: Samples) -> None:
        """Hear the next samples, shape ``(n,)``."""
        waiting = np.concatenate([self._waiting, mono])
        n_frames = max((len(waiting) - _N_FFT) // _HOP_LENGTH + 1, 0)
        for first in range(0, n_frames, _FRAMES_AT_ONCE):
            self._transform(waiting[first * _HOP_LENGTH :], min(_FRAMES_AT_ONCE, n_frames - first))
        self._waiting = waiting[n_frames * _HOP_LENGTH :]

    def decibels(self) -> NDArray[np.float32]:
        """End the sound, and return its spectrogram, shape ``(N_BANDS, n_columns)``."""
        self.add(np.zeros(_N_FFT // 2, np.float32))
        power = self._power / self._counts[:, None]
        return (10.0 * np.log10(np.maximum(power, _LEAST_POWER))).T.astype(np.float32)

    def _transform(self, y: Samples, n_frames: int) -> None:
        frames = np.lib.stride_tricks.sliding_window_view(y, _N_FFT)[: n_frames * _HOP_LENGTH : _HOP_LENGTH]
        power = np.square(np.abs(np.fft.rfft(frames * self._window, axis=1)))
        columns = np.arange(self._frame, self._frame + n_frames) // self._together
        firsts = np.flatnonzero(np.diff(columns, prepend=-1))
        self._power[columns[firsts]] += np.add.reduceat(power, firsts) @ self._weights
        self._frame += n_frames


def _weights(sr: int) -> NDArray[np.float64]:
    """Return what each band takes of each bin, shape ``(N_BANDS, n_bins)``: the mean of the bins inside it.

    Low bands are narrower than a bin: they take what lies between the neighbours of their middle. Bands above half
    the sample rate take nothing.
    """
    hz = np.fft.rfftfreq(_N_FFT, 1 / sr)
    edges = edges_hz()
    weights = ((hz >= edges[:-1, None]) & (hz < edges[1:, None])).astype(float)
    counts = weights.sum(axis=1, keepdims=True)
    weights /= np.maximum(counts, 1)
    at = np.sqrt(edges[:-1] * edges[1:]) * _N_FFT / sr
    for band in np.flatnonzero((counts[:, 0] == 0) & (at < len(hz) - 1)):
        below = int(at[band])
        weights[band, below : below + 2] = below + 1 - at[band], at[band] - below
    return weights
