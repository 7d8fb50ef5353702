"""Short-time Fourier transform and its exact inverse.

Spectra are ``(n_channels, n_frames, n_bins)``: the layout that both the FFT and the network read without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from separation.decode import Samples
from separation.errors import AudioInvalid

Spectrum = NDArray[np.complex64]
BLOCK = 16
"""Frames transformed at a time: what they need stays in a core's own cache."""


@dataclass(frozen=True, slots=True)
class Stft:
    """Frame length and hop of a short-time Fourier transform with a periodic Hann window.

    The hop must divide the frame at least four times, so that squared windows add up to a constant and the
    inverse is exact.

    Parameters
    ----------
    n_fft
        Frame length in samples.
    hop_length
        Samples from one frame to the next.
    padding
        Zeros put before the signal; None takes the fewest with which its first sample lies under as many frames as
        any other.

    References
    ----------
    D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Transactions on
    Acoustics, Speech and Signal Processing, 1984.
    """

    n_fft: int = 4096
    hop_length: int = 1024
    padding: int | None = None

    def __post_init__(self) -> None:
        if self.hop_length < 1 or self.n_fft % self.hop_length or self.n_fft // self.hop_length < 4:
            raise AudioInvalid(
                f"hop_length must divide n_fft four times or more, got {self.hop_length} and {self.n_fft}"
            )
        if self.padding is not None and self.padding < self.n_fft - self.hop_length:
            raise AudioInvalid(f"padding is at least n_fft - hop_length, got {self.padding}")

    @property
    def n_bins(self) -> int:
        """Number of frequencies, from 0 Hz to half the sample rate."""
        return self.n_fft // 2 + 1

    @property
    def lead(self) -> int:
        """Zeros put before the signal."""
        return self.n_fft - self.hop_length if self.padding is None else self.padding

    def window(self) -> Samples:
        """Periodic Hann window, shape ``(n_fft,)``."""
        n = np.arange(self.n_fft)
        return (0.5 - 0.5 * np.cos(2 * np.pi * n / self.n_fft)).astype(np.float32)

    def n_frames(self, n_samples: int) -> int:
        """Frames that cover `n_samples` samples fully."""
        return -(-(n_samples + self.lead) // self.hop_length)

    def span(self, n_frames: int) -> int:
        """Samples under `n_frames` neighbouring frames."""
        return (n_frames - 1) * self.hop_length + self.n_fft

    def gain(self) -> float:
        """What overlapping squared windows add up to: 3/8 of the number of overlapping frames."""
        return 0.375 * self.n_fft / self.hop_length

    def forward_frames(self, y: Samples) -> Spectrum:
        """Transform every whole frame of `y`, shape ``(n_channels, n_samples)``, without padding."""
        from scipy.fft import rfft

        frames = np.lib.stride_tricks.sliding_window_view(y, self.n_fft, axis=-1)[..., :: self.hop_length, :]
        window = self.window()
        D = np.empty((*frames.shape[:-1], self.n_bins), np.complex64)
        for start in range(0, frames.shape[-2], BLOCK):
            block = slice(start, start + BLOCK)
            D[..., block, :] = rfft(frames[..., block, :] * window, axis=-1)
        return D

    def inverse_frames(self, D: Spectrum) -> Samples:
        """Windowed frames of shape ``(..., n_frames, n_fft)``, scaled to be overlapped and added."""
        from scipy.fft import irfft

        frames = irfft(D, n=self.n_fft, axis=-1)
        frames *= self.window() / np.float32(self.gain())
        return frames

    def overlap_add(self, frames: Samples, out: Samples, at: int = 0) -> None:
        """Add frames of shape ``(..., n_frames, n_fft)`` to `out`, ``(..., n_samples)``, from frame number `at` on."""
        *lead, n_frames, n_fft = frames.shape
        hop = self.hop_length
        hops = out.reshape(*out.shape[:-1], -1, hop)
        parts = frames.reshape(*lead, n_frames, n_fft // hop, hop)
        for part in range(n_fft // hop):
            hops[..., at + part : at + part + n_frames, :] += parts[..., part, :]

    def forward(self, y: Samples) -> Spectrum:
        """Transform a whole signal.

        Parameters
        ----------
        y
            Samples, shape ``(n_channels, n_samples)``.

        Returns
        -------
        D
            complex64 of shape ``(n_channels, n_frames, n_bins)``, with ``n_frames = self.n_frames(n_samples)``.
        """
        padded = np.zeros((*y.shape[:-1], self.span(self.n_frames(y.shape[-1]))), dtype=np.float32)
        padded[..., self.lead : self.lead + y.shape[-1]] = y
        return self.forward_frames(padded)

    def inverse(self, D: Spectrum, n_samples: int) -> Samples:
        """Undo `forward`: samples of shape ``(..., n_samples)``.

        Examples
        --------
        >>> stft = Stft(64, 16)
        >>> y = np.sin(np.arange(1000, dtype=np.float32))[None]
        >>> bool(np.allclose(stft.inverse(stft.forward(y), 1000), y, atol=1e-5))
        True
        """
        n_frames = D.shape[-2]
        y = np.zeros((*D.shape[:-2], self.span(n_frames)), np.float32)
        for start in range(0, n_frames, BLOCK):
            self.overlap_add(self.inverse_frames(D[..., start : start + BLOCK, :]), y, start)
        return y[..., self.lead : self.lead + n_samples]
