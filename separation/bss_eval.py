"""BSS Eval, version 4: how close estimated stems are to the true ones, in dB, second by second.

The figures equal those of `museval.metrics.bss_eval` (images, filters fixed over the track). The same least-squares
problem is solved in less work: correlations are accumulated block by block, and the systems for the filters are solved
as what they are, block-Toeplitz.

Bands that a lossy codec left empty, and equal channels, make the references linearly dependent to within rounding.
Filters along such directions grow large, and the edges of a frame make them heard in SIR and SAR. There museval's own
figures move, by decibels in the worst frame, when it is given the stems in another order.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from separation import block_toeplitz
from separation.backend import usable_cores
from separation.errors import AudioInvalid

Floats = NDArray[np.float64]

_LEAST_FFT = 4096
_BLOCKS_AT_ONCE = 8
_MOST_THREADS = 4


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
        than the track gives one frame; an incomplete last frame is left out. Memory grows with the window, not with
        the track.
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
    frames = [slice(start, start + window) for start in range(0, n_samples - window + 1, hop)]
    heard = [t for t, frame in enumerate(frames) if _all_heard(references[..., frame], estimates[..., frame])]
    scores = np.full((4, n_stems, len(frames)), np.nan)
    if heard:
        n_threads = min(usable_cores(), _MOST_THREADS)
        joint, own = _projection_filters(references, estimates, filters_len, n_threads)
        frame_scores = _FrameScores(joint, own, window, n_threads)
        with ThreadPoolExecutor(n_threads) as pool:
            found = pool.map(lambda t: frame_scores(references[..., frames[t]], estimates[..., frames[t]]), heard)
            for t, column in zip(heard, found, strict=True):
                scores[:, :, t] = column
    return BssEval(*scores)


class _FrameScores:
    """Scores of frames of one length through fixed filters, read off their spectra (Parseval)."""

    def __init__(self, joint: Floats, own: Floats, window: int, n_threads: int) -> None:
        from scipy import fft

        # a filtered frame is longer than the frame; with this size nothing wraps round
        self._n_fft = int(fft.next_fast_len(window + joint.shape[-1] - 1, real=True))
        self._joint, self._own = (
            fft.rfft(np.ascontiguousarray(filters), self._n_fft, workers=n_threads) for filters in (joint, own)
        )

    def __call__(self, references: NDArray[Any], estimates: NDArray[Any]) -> Floats:
        """SDR, ISR, SIR and SAR of one frame, `(4, n_stems)`."""
        from scipy import fft

        references, estimates = (np.asarray(y, dtype=np.float64) for y in (references, estimates))
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
        twice = 2.0 * _squares(spectrum)  # but there is one zero, and of an even number one Nyquist frequency
        once = _squares(spectrum[..., :1]) + (_squares(spectrum[..., -1:]) if self._n_fft % 2 == 0 else 0.0)
        return (twice - once) / self._n_fft


def _squares(spectrum: NDArray[np.complex128]) -> Floats:
    parts = np.ascontiguousarray(spectrum).view(np.float64)
    return np.asarray(np.einsum("ecf,ecf->e", parts, parts))


def _projection_filters(
    references: NDArray[Any], estimates: NDArray[Any], n_taps: int, n_threads: int
) -> tuple[Floats, Floats]:
    """Least-squares filters from the references to each estimate over the whole track.

    Returns
    -------
    joint : (n_stems, n_stems * n_channels, n_channels, n_taps)
        To estimate `e`, channel `c`, from every channel of all references.
    own : (n_stems, n_channels, n_channels, n_taps)
        To estimate `e` from the channels of its own reference alone.
    """
    n_stems, n_channels, _ = references.shape
    n_signals = n_stems * n_channels
    gram, cross = np.split(_correlations(references, estimates, n_taps, n_threads), [n_signals], axis=2)
    stems = [slice(e * n_channels, (e + 1) * n_channels) for e in range(n_stems)]
    joint = block_toeplitz.solve(gram, cross)
    own = block_toeplitz.solve(
        np.stack([gram[:, mine, mine] for mine in stems]), np.stack([cross[:, mine, mine] for mine in stems])
    )
    joint = joint.reshape(n_taps, n_signals, n_stems, n_channels)
    return joint.transpose(2, 1, 3, 0), own.transpose(0, 2, 3, 1)


def _correlations(references: NDArray[Any], estimates: NDArray[Any], n_taps: int, n_threads: int) -> Floats:
    """Correlations `r[k, p, q] = Σ_n x[p, n] z[q, n + k]` of references `x` with references and estimates `z`.

    Blocks keep the memory small for tracks of any length; their cross spectra add up, so one inverse transform is
    enough.

    Returns
    -------
    Floats
        `(n_taps, n_signals, 2 * n_signals)`
    """
    from scipy import fft

    n_stems, n_channels, n_samples = references.shape
    n_signals = n_stems * n_channels
    n_fft = int(fft.next_fast_len(max(_LEAST_FFT, 2 * n_taps), real=True))
    hop = n_fft - n_taps + 1
    total = np.zeros((n_fft // 2 + 1, n_signals, 2 * n_signals), dtype=np.complex128)
    for start in range(0, n_samples, _BLOCKS_AT_ONCE * hop):
        part = slice(start, start + _BLOCKS_AT_ONCE * hop + n_taps - 1)
        z = np.zeros((2 * n_signals, part.stop - part.start))
        for rows, y in ((z[:n_signals], references[..., part]), (z[n_signals:], estimates[..., part])):
            rows[:, : y.shape[-1]] = y.reshape(n_signals, -1)
        blocks = sliding_window_view(z, n_fft, axis=1)[:, ::hop]
        here = fft.rfft(blocks[:n_signals, :, :hop].transpose(2, 0, 1), n_fft, axis=0, workers=n_threads)
        onward = fft.rfft(blocks.transpose(2, 1, 0), axis=0, workers=n_threads)
        total += here.conj() @ onward
    return np.asarray(fft.irfft(total, n_fft, axis=0)[:n_taps])


def _all_heard(*parts: NDArray[Any]) -> bool:
    """Whether no stem is silent in these parts; like museval we listen to the sum of the channels."""
    return all(bool(y.sum(axis=1, dtype=np.float64).any(axis=1).all()) for y in parts)


def _decibel(signal: Floats, error: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, np.inf, 10 * np.log10(signal / error))


def _checked(references: NDArray[Any], estimates: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    references, estimates = np.asarray(references), np.asarray(estimates)
    if references.shape != estimates.shape or references.ndim != 3 or not references.size:
        raise AudioInvalid(
            "references and estimates have one shape (n_stems, n_channels, n_samples): "
            f"got {references.shape} and {estimates.shape}"
        )
    if not all(np.isfinite(y).all() for stems in (references, estimates) for y in stems):
        raise AudioInvalid("references and estimates must be finite: some samples are NaN or infinite")
    return references, estimates
