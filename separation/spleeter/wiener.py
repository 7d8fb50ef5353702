"""Spleeter's multichannel Wiener filter: one step of expectation and maximisation over the whole file.

The answer is that of the package `norbert` as Spleeter calls it, worked out for all frames of a block at once.

References
----------
A. Nugraha, A. Liutkus, E. Vincent, "Multichannel audio source separation with deep neural networks", IEEE/ACM
Transactions on Audio, Speech, and Language Processing, 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from separation.decode import Samples
from separation.spectrogram import Spectrum

if TYPE_CHECKING:
    from separation.spleeter.masker import SpleeterMasker

_EPSILON = float(np.finfo(np.float32).eps)
_FRAMES = 64
"""Frames filtered at a time."""


def separate(y: Samples, masker: SpleeterMasker) -> Samples:
    """Separate a whole stereo signal.

    Parameters
    ----------
    y
        Samples, shape ``(2, n_samples)``.
    masker
        The model that estimates the stems' magnitudes.

    Returns
    -------
    stems
        float32 ``(n_stems, 2, n_samples)``.
    """
    stft, n = masker.stft, masker.n_frames
    D = stft.forward(y)
    estimates = np.zeros((len(masker.stems), *D.shape), np.float32)
    for start in range(0, D.shape[1], n):
        found = masker.estimates(D[:, start : start + n])
        estimates[:, :, start : start + n, : found.shape[-1]] = found
    filtered = wiener(estimates, D)
    return np.stack([stft.inverse(stem, y.shape[-1]) for stem in filtered])


def wiener(estimates: NDArray[np.float32], D: Spectrum) -> Spectrum:
    """Filter a mixture by what is estimated of each stem's magnitude.

    Parameters
    ----------
    estimates
        Magnitudes ``(n_stems, 2, n_frames, n_bins)``.
    D
        Spectrum of the mixture, ``(2, n_frames, n_bins)``.

    Returns
    -------
    stems
        Spectra ``(n_stems, 2, n_frames, n_bins)``, complex64.
    """
    loudest = max(1.0, float(np.abs(D).max(initial=0.0)) / 10.0)
    D = D / np.float32(loudest)
    shares = estimates / (np.float32(_EPSILON) + estimates.sum(axis=0))
    spread, covariance = zip(*(_local_gaussian(share * D) for share in shares), strict=True)
    # per stem: power (n_frames, n_bins), spatial covariance (2, 2, n_bins)
    out = np.empty(estimates.shape, np.complex64)
    for start in range(0, D.shape[1], _FRAMES):
        block = slice(start, start + _FRAMES)
        x = D[:, block]
        mixture = sum(v[block] * R[:, :, None] for v, R in zip(spread, covariance, strict=True))
        mixture[0, 0] += np.sqrt(_EPSILON)
        mixture[1, 1] += np.sqrt(_EPSILON)
        (a, b), (c, d) = mixture
        scale = 1.0 / (a * d - b * c)
        whitened = np.stack([scale * (d * x[0] - b * x[1]), scale * (a * x[1] - c * x[0])])
        for stem, (v, R) in enumerate(zip(spread, covariance, strict=True)):
            out[stem, :, block] = v[block] * np.einsum("ijf,jtf->itf", R, whitened)
    return out * np.float32(loudest)


def _local_gaussian(S: Spectrum) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Power of a stem at each time and frequency, and its spatial covariance at each frequency."""
    power = np.mean(S.real.astype(np.float64) ** 2 + S.imag.astype(np.float64) ** 2, axis=0)
    covariance = np.einsum("itf,jtf->ijf", S.astype(np.complex128), S.conj().astype(np.complex128))
    return power, covariance / (_EPSILON + power.sum(axis=0))
