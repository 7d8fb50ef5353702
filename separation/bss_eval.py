"""BSS Eval, version 4: how close estimated stems are to the true ones, in dB, second by second.

The figures equal those of `museval.metrics.bss_eval` (images, filters fixed over the track). The same least-squares
problem is solved in less work: correlations are accumulated block by block, its Gram matrix is factorised once for
all stems, and the energies of a frame are read off its spectra (Parseval) without filtering anything in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation.errors import AudioInvalid

Floats = NDArray[np.float64]

_CORRELATION_BLOCK = 1 << 15
_RIDGES = (1e-14, 1e-13, 1e-12, 1e-11)
"""Added to the Gram matrix, relative to its mean diagonal, where it does not factorise as it is.

Silent bands and equal channels make the references linearly dependent to within rounding. Filters along such
directions are arbitrary; unregularised they grow without bound, and a frame's edges make them audible in SIR and SAR
(museval's own answer then moves, by decibels in the worst frame, when all signals are multiplied by 3). The smallest
ridge that lets the matrix factorise tames them.
"""


@dataclass(frozen=True, slots=True)
class BssEval:
    """Scores in dB, each `(n_stems, n_frames)`; NaN in frames where a stem or an estimate is silent.

    Attributes
    ----------
    sdr
        Source to distortion: everything that is wrong counts.
    isr
        Image to spatial distortion: wrong level, colour or place of the stem itself.
    sir
        Source to interference: the other stems that are heard.
    sar
        Source to artefacts: what no filtering of the true stems explains.
    """

    sdr: Floats
    isr: Floats
    sir: Floats
    sar: Floats


def bss_eval(
    references: NDArray[Any],
    estimates: NDArray[Any],
    *,
    window: int,
    hop: int,
    filters_len: int = 512,
) -> BssEval:
    """Score estimates against references.

    Parameters
    ----------
    references, estimates : (n_stems, n_channels, n_samples)
        True and estimated stems, aligned, in one order.
    window, hop
        Frame length and distance, samples; the usual frames are one second long and do not overlap. A window longer
        than the track gives one frame; an incomplete last frame is left out.
    filters_len
        Taps of the filters through which a stem may be heard and still count as itself (for all but `sdr`).

    Returns
    -------
    BssEval
        One column a frame. A frame in which any reference or estimate is silent is NaN for all stems.

    Raises
    ------
    AudioInvalid
        Shapes that differ or are not three-dimensional, samples that are no numbers, or an impossible window.

    References
    ----------
    E. Vincent, R. Gribonval, C. Févotte: Performance measurement in blind audio source separation. IEEE TASLP, 2006.
    F.-R. Stöter, A. Liutkus, N. Ito: The 2018 Signal Separation Evaluation Campaign. LVA/ICA, 2018.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.standard_normal((2, 1, 4000))
    >>> noisy = truth + 0.1 * rng.standard_normal(truth.shape)
    >>> bss_eval(truth, noisy, window=2000, hop=2000, filters_len=16).sdr.round().tolist()
    [[20.0, 20.0], [20.0, 20.0]]
    """
    references, estimates = _checked(references, estimates)
    if not (window >= 1 and hop >= 1 and filters_len >= 1):
        raise AudioInvalid(f"window={window}, hop={hop} and filters_len={filters_len} must be at least one sample")
    n_stems, _, n_samples = references.shape
    window = min(window, n_samples)
    starts = range(0, n_samples - window + 1, hop)
    scores = np.full((4, n_stems, len(starts)), np.nan)
    heard = [t for t, start in enumerate(starts) if _all_heard(references, estimates, slice(start, start + window))]
    if heard:
        frame = _Frame(*_projection_filters(references, estimates, filters_len), window=window)
        for t in heard:
            part = slice(starts[t], starts[t] + window)
            scores[:, :, t] = frame.scores(references[:, :, part], estimates[:, :, part])
    return BssEval(*scores)


class _Frame:
    """Scores of frames of one length through fixed filters."""

    def __init__(self, joint: Floats, own: Floats, *, window: int) -> None:
        from scipy import fft

        # a filtered frame is longer than the frame; with this size nothing wraps round
        self._n_fft = int(fft.next_fast_len(window + joint.shape[-1] - 1, real=True))
        self._joint = fft.rfft(joint, self._n_fft)
        self._own = fft.rfft(own, self._n_fft)

    def scores(self, references: Floats, estimates: Floats) -> Floats:
        """SDR, ISR, SIR and SAR of one frame, `(4, n_stems)`."""
        from scipy import fft

        n_stems, n_channels, _ = references.shape
        true = fft.rfft(references, self._n_fft)
        estimated = fft.rfft(estimates, self._n_fft)
        # what any filtering of all stems explains of each estimate, and what filtering of its own stem explains
        explained = np.einsum("epcf,pf->ecf", self._joint, true.reshape(n_stems * n_channels, -1))
        own = np.einsum("epcf,epf->ecf", self._own, true)
        target = np.sum(references**2, axis=(1, 2))
        return np.stack(
            [
                _decibel(target, np.sum((estimates - references) ** 2, axis=(1, 2))),
                _decibel(target, self._energy(own - true)),
                _decibel(self._energy(own), self._energy(explained - own)),
                _decibel(self._energy(explained), self._energy(estimated - explained)),
            ]
        )

    def _energy(self, spectrum: NDArray[np.complex128]) -> Floats:
        """Energy of the signal behind a half spectrum, summed over channels, `(n_stems,)`."""
        power = spectrum.real**2 + spectrum.imag**2
        energy = 2.0 * power.sum(axis=-1) - power[..., 0]
        if self._n_fft % 2 == 0:
            energy -= power[..., -1]
        return energy.sum(axis=-1) / self._n_fft


def _projection_filters(references: Floats, estimates: Floats, n_taps: int) -> tuple[Floats, Floats]:
    """Least-squares filters from the references to each estimate over the whole track.

    Returns
    -------
    joint : (n_stems, n_stems * n_channels, n_channels, n_taps)
        To estimate `e`, channel `c`, from every channel of all references.
    own : (n_stems, n_channels, n_channels, n_taps)
        To estimate `e` from the channels of its own reference alone.
    """
    from scipy.linalg import toeplitz

    n_stems, n_channels, n_samples = references.shape
    n_signals = n_stems * n_channels
    x = references.reshape(n_signals, n_samples)
    r = _correlations(x, np.concatenate([x, estimates.reshape(n_signals, n_samples)]), n_taps)
    zero = n_taps - 1  # index of lag 0
    gram = np.empty((n_signals, n_taps, n_signals, n_taps))
    for p in range(n_signals):
        for q in range(p, n_signals):
            block = toeplitz(r[p, q, zero::-1], r[p, q, zero:])
            gram[p, :, q], gram[q, :, p] = block, block.T
    # (reference channel, tap) × (estimate, its channel)
    cross = r[:, n_signals:, zero::-1].transpose(0, 2, 1)
    size = n_signals * n_taps
    joint = _solve(gram.reshape(size, size), cross.reshape(size, n_signals))
    own = np.empty((n_stems, n_channels, n_channels, n_taps))
    for e in range(n_stems):
        mine = slice(e * n_channels, (e + 1) * n_channels)
        size = n_channels * n_taps
        filters = _solve(gram[mine, :, mine].reshape(size, size), cross[mine, :, mine].reshape(size, n_channels))
        own[e] = filters.reshape(n_channels, n_taps, n_channels).transpose(0, 2, 1)
    return joint.reshape(n_signals, n_taps, n_stems, n_channels).transpose(2, 0, 3, 1), own


def _correlations(x: Floats, z: Floats, n_taps: int) -> Floats:
    """Correlations `r[p, q, n_taps - 1 + k] = Σ_n x[p, n + k] z[q, n]` for lags |k| < n_taps.

    Blocks keep the memory small for tracks of any length; their cross spectra add up, so one inverse transform is
    enough.
    """
    from scipy import fft

    n_samples = x.shape[1]
    block = min(_CORRELATION_BLOCK, n_samples)
    n_fft = int(fft.next_fast_len(block + 2 * (n_taps - 1), real=True))
    padded = np.pad(x, ((0, 0), (n_taps - 1, n_taps - 1 + block)))
    total = np.zeros((n_fft // 2 + 1, len(x), len(z)), dtype=np.complex128)
    for start in range(0, n_samples, block):
        around = fft.rfft(padded[:, start : start + block + 2 * (n_taps - 1)], n_fft)
        here = fft.rfft(z[:, start : start + block], n_fft)
        total += around.T[:, :, None] * here.T.conj()[:, None, :]
    return fft.irfft(total.transpose(1, 2, 0), n_fft)[:, :, : 2 * n_taps - 1]


def _solve(gram: Floats, right: Floats) -> Floats:
    """Solve a symmetric, positive semi-definite system by Cholesky factorisation, regularised as `_RIDGES` says."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    mean = float(np.trace(gram)) / len(gram)
    for ridge in (float(np.finfo(float).eps), *(share * mean for share in _RIDGES)):  # the first is museval's
        regular = gram.copy()
        regular.flat[:: len(gram) + 1] += ridge
        try:
            factor = cho_factor(regular, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        return cho_solve(factor, right, check_finite=False)
    return np.asarray(np.linalg.lstsq(gram, right, rcond=None)[0], dtype=np.float64)


def _all_heard(references: Floats, estimates: Floats, part: slice) -> bool:
    """Whether no stem is silent in this part; like museval we listen to the sum of the channels."""
    return all(bool(y[:, :, part].sum(axis=1).any(axis=1).all()) for y in (references, estimates))


def _decibel(signal: Floats, error: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, np.inf, 10 * np.log10(signal / error))


def _checked(references: NDArray[Any], estimates: NDArray[Any]) -> tuple[Floats, Floats]:
    references = np.asarray(references, dtype=np.float64)
    estimates = np.asarray(estimates, dtype=np.float64)
    if references.shape != estimates.shape or references.ndim != 3 or not references.size:
        raise AudioInvalid(
            "references and estimates have one shape (n_stems, n_channels, n_samples): "
            f"got {references.shape} and {estimates.shape}"
        )
    if not (np.isfinite(references).all() and np.isfinite(estimates).all()):
        raise AudioInvalid("references and estimates must be finite: some samples are NaN or infinite")
    return references, estimates
