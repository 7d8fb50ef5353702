"""What the network hears: level-free log magnitudes of left, right, middle and side, by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from separation.bands import Bands

COMPRESSION = 300.0
"""Magnitudes are compressed as ``log1p(COMPRESSION · magnitude / level)``."""


def power(D: NDArray[np.complex64], bands: Bands) -> NDArray[np.float32]:
    """Power in each band: ``(..., n_bins)`` complex → ``(..., n_bands)`` float32."""
    return cross_power(D, D, bands)


def cross_power(D: NDArray[np.complex64], E: NDArray[np.complex64], bands: Bands) -> NDArray[np.float32]:
    """Real part of ``conj(D)·E`` added up in each band; shapes are broadcast."""
    product = _parts(D, bands) * _parts(E, bands)
    return bands.sum(product[..., ::2] + product[..., 1::2])


def _parts(D: NDArray[np.complex64], bands: Bands) -> NDArray[np.float32]:
    """Real and imaginary parts in turn, without a copy: ``(..., 2·n_bins)``."""
    return D.view(np.float32)[..., : 2 * bands.n_bins]


def level(band_power: NDArray[np.float32]) -> np.float32:
    """Root mean square over everything in `band_power`; never 0, so that silence can be divided by it."""
    return np.float32(np.sqrt(band_power.mean(dtype=np.float64)) + 1e-7)


def network_input(D: NDArray[np.complex64], bands: Bands) -> NDArray[np.float32]:
    """Features of one stereo stretch of music.

    Parameters
    ----------
    D
        Spectrum of shape ``(2, n_frames, n_bins)``.
    bands
        Which bins are grouped.

    Returns
    -------
    features
        float32 of shape ``(n_frames, n_bands, 4)``: left, right, middle, side. Independent of the level of `D`.
    """
    D = D[..., : bands.n_bins]
    left_right = power(D, bands)
    middle = power((D[0] + D[1]) * np.float32(0.5), bands)
    side = power((D[0] - D[1]) * np.float32(0.5), bands)
    stacked = np.stack([left_right[0], left_right[1], middle, side], axis=-1)
    return np.log1p(np.sqrt(stacked) * (np.float32(COMPRESSION) / level(left_right)))
