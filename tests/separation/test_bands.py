from __future__ import annotations

import numpy as np
import pytest

from separation.bands import Bands
from separation.errors import ConfigInvalid
from separation.frontend import cross_power, network_input, power

BANDS = Bands(n_single=4, n_grouped=3, group=2)


def test_sums_keep_the_energy_below_the_top() -> None:
    x = np.random.default_rng(0).random((2, 5, 16)).astype(np.float32)
    np.testing.assert_allclose(BANDS.sum(x).sum(-1), x[..., :10].sum(-1), rtol=1e-5)
    np.testing.assert_allclose(BANDS.sum(x)[..., 4], x[..., 4] + x[..., 5])


def test_masks_are_stretched_and_extended() -> None:
    mask = np.arange(7, dtype=np.float32)[None]
    np.testing.assert_array_equal(BANDS.expand(mask, 12, top=2), [[0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 5.5, 5.5]])


def test_cross_power_is_the_real_inner_product() -> None:
    rng = np.random.default_rng(1)
    D, E = (rng.standard_normal((2, 3, 16)) + 1j * rng.standard_normal((2, 3, 16)) for _ in range(2))
    D, E = D.astype(np.complex64), E.astype(np.complex64)
    np.testing.assert_allclose(cross_power(D, E, BANDS), BANDS.sum((D.conj() * E).real), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(power(D, BANDS), BANDS.sum(np.abs(D) ** 2), rtol=1e-5)


def test_network_input_forgets_the_level_and_survives_silence() -> None:
    rng = np.random.default_rng(2)
    D = (rng.standard_normal((2, 5, 16)) + 1j * rng.standard_normal((2, 5, 16))).astype(np.complex64)
    np.testing.assert_allclose(network_input(D, BANDS), network_input(D * np.float32(0.01), BANDS), rtol=1e-3)
    assert np.all(network_input(D * 0, BANDS) == 0)


def test_impossible_bands_are_refused() -> None:
    with pytest.raises(ConfigInvalid):
        Bands(4, 3, 0)
