"""Linear systems with a symmetric block-Toeplitz matrix, in a time that grows with the square of their size.

Least-squares filters between signals of several channels are such systems: their matrix holds correlations, which
depend on the difference of two lags alone. A dense factorisation, which takes the cube, makes no use of that.
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 8
_REFINEMENTS = 1
_RIDGES = 10.0 ** np.arange(-15, 0)
"""Added to the diagonal, which is about one, of the matrix that is factorised: the first that lets it factorise.

Where signals are linearly dependent to within rounding (equal channels, silent bands) the matrix is singular, and
rounding may make it indefinite. The solution is refined with the matrix as it was, so the smallest ridge leaves no
trace of itself but in directions that rounding has taken already.
"""


def solve(blocks: Floats, right: Floats) -> Floats:
    """Solve systems ``Σ_l T[k - l] x[l] = right[k]`` with ``T[-k] = T[k]ᵀ``, positive semi-definite.

    The generalised Schur algorithm factorises the matrix; one step of iterative refinement, whose residual is
    computed with fast Fourier transforms, makes up for what it loses against a dense factorisation.

    Parameters
    ----------
    blocks : (..., n_lags, n_rows, n_rows)
        ``T[0]``, ``T[1]``, …: the first column of blocks of each system.
    right : (..., n_lags, n_rows, n_columns)
        Right-hand sides.

    Returns
    -------
    Floats
        The solutions, of the shape of `right`; one of many where a matrix is singular.

    Raises
    ------
    LinAlgError
        A matrix is not positive semi-definite.

    References
    ----------
    T. Kailath, A. H. Sayed: Displacement structure: theory and applications. SIAM Review, 1995.
    S. Chandrasekaran, A. H. Sayed: Stabilizing the generalized Schur algorithm. SIAM J. Matrix Anal. Appl., 1996.

    Examples
    --------
    >>> blocks = np.array([4.0, 2.0, 1.0]).reshape(3, 1, 1)
    >>> right = np.array([11.0, 16.0, 17.0]).reshape(3, 1, 1)  # of 1, 2, 3
    >>> solve(blocks, right).ravel().round(12).tolist()
    [1.0, 2.0, 3.0]
    """
    power = np.diagonal(blocks[..., 0, :, :], axis1=-2, axis2=-1)
    # powers of two, so that scaling rounds nothing
    scale = np.exp2(np.round(-0.5 * np.log2(np.where(power > 0, power, 1.0))))[..., None, :, None]
    blocks = blocks * scale * scale.mT
    right = right * scale
    factor = _regular_factor(_larger(blocks))
    product = _Product(blocks)
    x = factor.solve(right)
    for _ in range(_REFINEMENTS):
        x += factor.solve(right - product(x))
    return x * scale


def _regular_factor(blocks: Floats) -> _Factor:
    for ridge in _RIDGES:
        try:
            return _Factor(blocks, float(ridge))
        except LinAlgError:
            continue
    raise LinAlgError("the matrix is not positive semi-definite: blocks must be correlations, lag by lag")


class _Factor:
    """The factor `U` of a matrix and its ridge, which are ``UᵀU``: its rows of blocks, from the diagonal on.

    The matrix less itself moved one block down and to the right is ``AᵀA - BᵀB``, where `A` and `B` have the rows of
    one block. `A` is the first row of `U`. Hyperbolic rotations of `A`, moved by one block, and `B` empty the first
    block of `B`; then `A` is the next row.
    """

    def __init__(self, blocks: Floats, ridge: float) -> None:
        *batch, n_lags, m, _ = blocks.shape
        n = n_lags * m
        self._rows = rows = _triangle(batch, n, m)
        column = blocks.reshape(*batch, n, m).mT
        root = np.linalg.cholesky(column[..., :m] + ridge * np.eye(m))
        rows[0][..., :m] = root.mT
        rows[0][..., m:] = np.linalg.solve(root, column[..., m:])
        generator, following = np.empty((2, *batch, 2 * m, n))  # A, moved, over B
        generator[..., :m, m:] = rows[0][..., :-m]
        generator[..., m:, m:] = rows[0][..., m:]
        for k, row in zip(range(m, n, m), rows[1:], strict=True):
            first = generator[..., k : k + m].mT
            u, s, v = np.linalg.svd(np.linalg.solve(first[..., :m], first[..., m:]))
            if not s.max() < 1.0:
                raise LinAlgError
            sine = s[..., None]
            cosine = np.sqrt((1.0 - sine) * (1.0 + sine))
            rotation = np.concatenate([u.mT, -sine * v], axis=-1) / cosine
            np.matmul(rotation, generator[..., k:], out=row)
            following[..., :m, k + m :] = row[..., :-m]
            # from the new A, not the old one: this keeps the error small where a sine comes near one
            rest = following[..., m:, k + m :]
            np.matmul(cosine * v, generator[..., m:, k + m :], out=rest)
            rest -= sine * row[..., m:]
            generator, following = following, generator
        self._inverses = np.linalg.inv(np.stack([row[..., :m] for row in rows]))

    def solve(self, right: Floats) -> Floats:
        """Solve ``UᵀU x = right``, block by block."""
        m = self._inverses.shape[-1]
        x = right.reshape(*right.shape[:-3], -1, right.shape[-1]).copy()
        steps = [
            (inverse, row[..., m:], x[..., k : k + m, :], x[..., k + m :, :])
            for k, inverse, row in zip(range(0, x.shape[-2], m), self._inverses, self._rows, strict=True)
        ]
        for inverse, row, here, rest in steps:
            here[...] = inverse.mT @ here
            rest -= row.mT @ here
        for inverse, row, here, rest in reversed(steps):
            here[...] = inverse @ (here - row @ rest)
        return x.reshape(right.shape)


def _triangle(batch: list[int], n: int, m: int) -> list[Floats]:
    """Room for rows of blocks, each a block shorter than the one before, in one piece."""
    lengths = np.arange(n, 0, -m)
    ends = m * np.cumsum(lengths)
    parts = np.split(np.empty((*batch, ends[-1])), ends[:-1], axis=-1)
    return [part.reshape(*batch, m, length) for part, length in zip(parts, lengths, strict=True)]


class _Product:
    """Products with the matrix: a circular convolution along the lags."""

    def __init__(self, blocks: Floats) -> None:
        from scipy import fft

        *batch, n_lags, n_rows, _ = blocks.shape
        self._n_fft = int(fft.next_fast_len(2 * n_lags - 1, real=True))
        circle = np.zeros((*batch, self._n_fft, n_rows, n_rows), blocks.dtype)
        circle[..., :n_lags, :, :] = blocks
        circle[..., self._n_fft - n_lags + 1 :, :, :] = blocks[..., :0:-1, :, :].mT
        self._spectrum = fft.rfft(circle, axis=-3)

    def __call__(self, x: Floats) -> Floats:
        from scipy import fft

        spectrum = self._spectrum @ fft.rfft(x, self._n_fft, axis=-3)
        return np.asarray(fft.irfft(spectrum, self._n_fft, axis=-3)[..., : x.shape[-3], :, :])


def _larger(blocks: Floats) -> Floats:
    """Join some lags to one block, so that few long steps do the work of many short ones."""
    *batch, n_lags, n_rows, _ = blocks.shape
    n = _lags_at_once(n_lags, n_rows)
    all_lags = np.concatenate([blocks[..., n - 1 : 0 : -1, :, :].mT, blocks], axis=-3)
    lag = np.arange(0, n_lags, n)[:, None, None] + np.arange(n)[:, None] - np.arange(n)
    joined = all_lags[..., lag + n - 1, :, :].swapaxes(-3, -2)
    return joined.reshape(*batch, n_lags // n, n * n_rows, n * n_rows)


def _lags_at_once(n_lags: int, n_rows: int) -> int:
    most = max(_ROWS_AT_ONCE // n_rows, 1)
    return max(n for n in range(1, most + 1) if n_lags % n == 0)
