"""Short overlapping frames of a signal, and their power spectra in blocks that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK_FRAMES = 512
"""Frames transformed at once: a few MB, so that the length of a track does not decide the memory."""


class Framing:
    """A mono signal seen through centred Hann frames.

    Parameters
    ----------
    y
        Samples, shape ``(n_samples,)``.
    sr
        Sample rate in Hz.
    frame_s, hop_s
        Length of a frame and distance between frames in seconds (rounded to samples).
    """

    def __init__(self, y: Floats, sr: int, frame_s: float, hop_s: float) -> None:
        self.sr = sr
        self.frame_length = max(16, round(frame_s * sr))
        self.hop_length = max(1, round(hop_s * sr))
        self.n_fft = 2 ** int(np.ceil(np.log2(self.frame_length * 2 - 1)))
        self.n_frames = 1 + y.size // self.hop_length if y.size else 0
        half = self.frame_length // 2
        padded = np.concatenate([np.zeros(half, np.float32), y, np.zeros(self.frame_length, np.float32)])
        self._frames = np.lib.stride_tricks.sliding_window_view(padded, self.frame_length)[:: self.hop_length]
        self.window = np.hanning(self.frame_length + 2)[1:-1].astype(np.float32)
        self.frequencies_hz = (np.arange(self.n_fft // 2 + 1) * (sr / self.n_fft)).astype(np.float32)

    @property
    def hop_s(self) -> float:
        """Seconds between frames."""
        return self.hop_length / self.sr

    @property
    def window_power(self) -> Floats:
        """Power spectrum of the window, shape ``(n_bins,)``."""
        from scipy.fft import rfft

        return np.square(np.abs(rfft(self.window, self.n_fft))).astype(np.float32)

    @property
    def window_autocorrelation(self) -> Floats:
        """Autocorrelation of the window over its lag 0, shape ``(frame_length,)``."""
        from scipy.fft import irfft

        acf = irfft(self.window_power)[: self.frame_length]
        return (acf / acf[0]).astype(np.float32)

    def power_blocks(self, frames: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Yield the numbers of some frames and their power spectra, shape ``(n, n_bins)``, block by block."""
        from scipy.fft import rfft

        for start in range(0, len(frames), BLOCK_FRAMES):
            where = frames[start : start + BLOCK_FRAMES]
            cut = self._frames[where] * self.window
            spectrum = rfft(cut, self.n_fft, axis=-1)
            yield where, np.square(spectrum.real) + np.square(spectrum.imag)

    def level_db(self) -> Floats:
        """Mean power of each frame in dB (−200 for digital silence), shape ``(n_frames,)``."""
        level = np.empty(self.n_frames, np.float32)
        weights = np.square(self.window)
        weights /= weights.sum()
        for start in range(0, self.n_frames, BLOCK_FRAMES):
            stop = min(start + BLOCK_FRAMES, self.n_frames)
            level[start:stop] = np.square(self._frames[start:stop]) @ weights
        return (10 * np.log10(np.maximum(level, 1e-20))).astype(np.float32)
