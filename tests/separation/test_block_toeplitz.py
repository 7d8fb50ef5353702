"""Block-Toeplitz systems: what a dense solver answers, and what singular ones may answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.linalg import LinAlgError

from separation.block_toeplitz import solve


def correlations(y, n_lags):
    """First column of blocks `(n_lags, n_rows, n_rows)` of the Gram matrix of the delayed rows of `y`."""
    padded = np.pad(y, ((0, 0), (0, n_lags)))
    n = y.shape[1]
    return np.stack([y @ padded[:, lag : lag + n].T for lag in range(n_lags)])


def dense(blocks):
    n_lags, n_rows, _ = blocks.shape
    rows = [[blocks[k - i] if k >= i else blocks[i - k].T for i in range(n_lags)] for k in range(n_lags)]
    return np.block(rows).reshape(n_lags * n_rows, -1)


def muffled(rng, n_rows, n_samples=20_000):
    """Noise whose upper band is empty but for -130 dB: what a lossy codec leaves of music."""
    y = rng.standard_normal((n_rows, n_samples))
    spectrum = np.fft.rfft(y)
    spectrum[:, n_samples // 5 :] = 0.0
    return np.fft.irfft(spectrum, n_samples) + 3e-7 * rng.standard_normal(y.shape)


@pytest.mark.parametrize(("n_lags", "n_rows", "n_columns"), [(1, 1, 1), (1, 3, 2), (13, 1, 1), (16, 2, 3), (30, 10, 4)])
def test_equals_a_dense_solver(n_lags, n_rows, n_columns):
    rng = np.random.default_rng(n_lags)
    blocks = correlations(rng.standard_normal((n_rows, 1000)), n_lags)
    right = rng.standard_normal((n_lags, n_rows, n_columns))
    before = blocks.copy(), right.copy()
    expected = np.linalg.solve(dense(blocks), right.reshape(n_lags * n_rows, n_columns))
    np.testing.assert_allclose(solve(blocks, right), expected.reshape(right.shape), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(blocks, before[0])
    np.testing.assert_array_equal(right, before[1])


def test_each_of_several_systems_has_its_own_answer():
    rng = np.random.default_rng(0)
    blocks = np.stack([correlations(level * rng.standard_normal((2, 1000)), 12) for level in (1e-6, 1.0, 1e6)])
    right = rng.standard_normal((3, 12, 2, 2))
    together = solve(blocks, right)
    for one, system, b in zip(together, blocks, right, strict=True):
        np.testing.assert_allclose(one, solve(system, b), rtol=1e-10)


@pytest.mark.parametrize("levels", [(1.0, 1.0, 1.0), (1.0, 1e-3, 1e-6)])
def test_no_less_precise_than_a_dense_solver_where_the_condition_is_bad(levels):
    rng = np.random.default_rng(1)
    level = np.array(levels)[:, None]
    blocks = correlations(level * muffled(rng, 3), 64)
    T = dense(blocks)
    assert np.linalg.cond(T) > 1e13
    expected = rng.standard_normal((64, 3, 2)) / level
    right = T @ expected.reshape(192, 2)

    def error(x):
        return np.abs(level * (x.reshape(expected.shape) - expected)).max()

    assert error(solve(blocks, right.reshape(expected.shape))) < min(0.01, error(np.linalg.solve(T, right)))


def test_singular_systems_have_an_answer():
    rng = np.random.default_rng(2)
    one = rng.standard_normal((1, 3000))
    y = np.concatenate([one, one, rng.standard_normal((1, 3000)), np.zeros((1, 3000))])
    blocks = correlations(y, 20)
    T = dense(blocks)
    right = (T @ rng.standard_normal((80, 2))).reshape(20, 4, 2)
    x = solve(blocks, right)
    np.testing.assert_allclose(T @ x.reshape(80, 2), right.reshape(80, 2), atol=1e-9 * np.abs(right).max())
    assert np.abs(x).max() < 10.0
    sines = np.sin(np.arange(3000) * np.array([[0.1], [0.2]]))  # four dimensions of eighty
    x = solve(correlations(sines, 40), correlations(sines, 40))
    np.testing.assert_allclose(x[0], np.eye(2), atol=1.0)
    np.testing.assert_array_equal(solve(np.zeros((3, 2, 2)), np.zeros((3, 2, 1))), 0.0)


def test_what_are_no_correlations_is_refused():
    blocks = np.array([1.0, 2.0, 0.0]).reshape(3, 1, 1)
    with pytest.raises(LinAlgError, match="not positive semi-definite"):
        solve(blocks, np.ones((3, 1, 1)))
